import { chooseDriver, imageClient, startCompute } from '@folsom/compute-agent';
import type { RunningService } from '@folsom/core';
import { ensureLibvirtd } from '@folsom/host/libvirtd';
import { novaOptions } from '@folsom/nova/options';
import { hostCommands, type NovaParts, novaDaemon } from '../nova-daemon.ts';

/** nova-compute, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-compute', start: startConfiguredCompute });

export async function startConfiguredCompute(parts: NovaParts): Promise<RunningService> {
  const settings = parts.config.of(novaOptions);
  const images = imageClient({
    servers: settings.glance_api_servers,
    retries: settings.glance_num_retries,
  });
  const driver = chooseDriver({ ...parts, images, runner: hostCommands(parts.config) });
  if (driver.name === 'libvirt' && !settings.libvirt_uri) {
    await ensureLibvirtd({ clock: parts.world.clock, log: parts.world.log });
  }
  return startCompute({ ...parts, driver, images });
}
