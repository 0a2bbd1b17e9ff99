import type { RunningService } from '@folsom/core';
import { imageClient } from '@folsom/nova/image-transfer';
import { novaOptions } from '@folsom/nova/options';
import { chooseVolumeDriver, startVolume } from '@folsom/volume';
import { type NovaParts, novaDaemon } from '../nova-daemon.ts';

/** nova-volume, configured by nova.conf. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, { program: 'nova-volume', start: startConfiguredVolume });

export async function startConfiguredVolume(parts: NovaParts): Promise<RunningService> {
  const settings = parts.config.of(novaOptions);
  const images = imageClient({
    servers: settings.glance_api_servers,
    retries: settings.glance_num_retries,
  });
  const driver = chooseVolumeDriver({ ...parts, settings });
  return startVolume({ ...parts, driver, images });
}
