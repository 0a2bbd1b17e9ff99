import { configuredCache } from '@folsom/image';
import { glanceProgram } from '../glance-program.ts';

/** glance-cache-pruner: cuts the image cache to image_cache_max_size. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-cache-pruner', ['/etc/glance/glance-cache.conf']);
  if (!program) return 0;
  const { config, world } = program;
  const cache = await configuredCache(config, world);
  try {
    const removed = await cache.prune();
    world.log.info('pruned the image cache', { ...removed });
    return 0;
  } finally {
    await cache.close();
  }
}
