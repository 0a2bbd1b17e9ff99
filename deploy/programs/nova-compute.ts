import { chooseDriver, imageClient, startCompute } from '@folsom/compute-agent';
import type { RunningService } from '@folsom/core';
import { ensureLibvirtd, keepLibvirtd } from '@folsom/host/libvirtd';
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
  if (driver.name !== 'libvirt' || settings.libvirt_uri) return startCompute({ ...parts, driver, images });
  await ensureLibvirtd(parts.world);
  const watch = keepLibvirtd(parts.world);
  const compute = await startCompute({ ...parts, driver, images }).catch(async error => {
    await watch.stop();
    throw error;
  });
  return {
    ...compute,
    stop: async () => {
      await watch.stop();
      await compute.stop();
    },
  };
}
