import type { Config } from '@folsom/config';
import { elevated, type RequestContext, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import { novaOptions } from '@folsom/nova/options';
import { computeContract } from '@folsom/nova/rpc/compute';
import { type ConsoleAccess, consoleauthContract } from '@folsom/nova/rpc/consoleauth';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import type { Bus } from '@folsom/rpc';
import { memcachedTokenStore } from './memcached.ts';
import { memoryTokenStore } from './token-store.ts';
import { consoleTokens } from './tokens.ts';

export interface ConsoleAuthOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
}

/** Starts nova-consoleauth: keeps the tokens of consoles and says which are good. */
export async function startConsoleAuth(options: ConsoleAuthOptions): Promise<RunningService> {
  const { db, bus } = options;
  const settings = options.config.of(novaOptions);
  const world: World = { ...options.world, log: options.world.log.child({ service: 'nova-consoleauth' }) };
  const { log, clock } = world;
  const store =
    settings.memcached_servers.length > 0
      ? memcachedTokenStore(settings.memcached_servers, world)
      : memoryTokenStore(clock);
  const tokens = consoleTokens(store, clock, settings.console_token_ttl);

  /** A port may have gone to another guest since: its host says whose it is now. */
  const stillOwns = async (context: RequestContext, access: ConsoleAccess): Promise<boolean> => {
    if (access.instance_uuid === null) return false;
    const record = await instanceRecord(db.knex, access.instance_uuid);
    if (record.host === null) return false;
    return computeContract.client(bus).validate_console_port(
      elevated(context),
      {
        instance: instanceWire(record, settings.instance_name_template),
        port: access.port,
        console_type: access.console_type,
      },
      { host: record.host },
    );
  };

  const beat = await startHeartbeat({
    db,
    world,
    host: settings.host,
    binary: 'nova-consoleauth',
    topic: settings.consoleauth_topic,
    availability_zone: settings.node_availability_zone,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
  });
  const served = await consoleauthContract.serve(bus, settings.host, {
    async authorize_console(_context, access) {
      await tokens.authorize(access);
      log.info('console authorised', { instance: access.instance_uuid, type: access.console_type });
      return null;
    },
    async check_token(context, { token }) {
      const access = typeof token === 'string' ? await tokens.find(token) : undefined;
      if (access === undefined) {
        log.info('console token refused', { why: 'unknown or expired' });
        return null;
      }
      const fields = { instance: access.instance_uuid, type: access.console_type };
      try {
        if (!(await stillOwns(context, access))) {
          log.warn('console token refused', { ...fields, why: 'its port is no longer this instance’s' });
          return null;
        }
        // Once only: an address seen in a history, a log or over a shoulder opens nothing.
        if (await tokens.consume(token)) {
          log.info('console token accepted', fields);
          return access;
        }
        log.warn('console token refused', { ...fields, why: 'it has been used' });
      } catch (error) {
        log.warn('console token refused', { ...fields, why: (error as Error).message });
      }
      return null;
    },
    async delete_tokens_for_instance(_context, { instance_uuid }) {
      await tokens.deleteOfInstance(instance_uuid);
      return null;
    },
  });
  log.info('consoleauth started', { host: settings.host, shared: settings.memcached_servers.length > 0 });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await served.stop();
    await beat.stop();
    await store.close();
  };
  return {
    name: 'nova-consoleauth',
    addresses: [],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
