import type { Config } from '@folsom/config';
import { Fault, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import type { Bus } from '@folsom/rpc';

export interface ConsoleServiceOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
}

/**
 * Starts nova-console. In Folsom it sets up text console proxies for Xen hosts; guests on libvirt have none (their screens
 * go through novncproxy), so it reports for duty and refuses what only Xen could do.
 */
export async function startConsole(options: ConsoleServiceOptions): Promise<RunningService> {
  const { db, bus } = options;
  const settings = options.config.of(novaOptions);
  const world: World = { ...options.world, log: options.world.log.child({ service: 'nova-console' }) };
  const refuse = () => {
    throw new Fault('NotImplementedError', 501, 'The hypervisor has no text consoles.', {
      module: 'exceptions',
    });
  };
  const served = await bus.serve({
    topic: settings.console_topic,
    host: settings.host,
    version: '1.0',
    handlers: { add_console: refuse, remove_console: refuse },
  });
  const beat = await startHeartbeat({
    db,
    world,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
    host: settings.host,
    binary: 'nova-console',
    topic: settings.console_topic,
    availability_zone: settings.node_availability_zone,
  });
  let stopping: Promise<void> | undefined;
  return {
    name: 'nova-console',
    addresses: [],
    stop: () => {
      stopping ??= (async () => {
        await beat.stop();
        await served.stop();
      })();
      return stopping;
    },
  };
}
