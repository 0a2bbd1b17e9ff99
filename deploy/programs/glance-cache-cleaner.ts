import { configuredCache } from '@folsom/image';
import { glanceProgram } from '../glance-program.ts';

/** glance-cache-cleaner: removes unfinished and damaged files from the image cache. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-cache-cleaner', ['/etc/glance/glance-cache.conf']);
  if (!program) return 0;
  const { config, world } = program;
  const cache = await configuredCache(config, world);
  try {
    const removed = await cache.clean();
    world.log.info('removed stale files from the image cache', { count: removed });
    return 0;
  } finally {
    await cache.close();
  }
}
