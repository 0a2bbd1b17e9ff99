import { runPrefetcher } from '@folsom/image';
import { glanceProgram, withToolParts } from '../glance-program.ts';

/** glance-cache-prefetcher: fetches the images that were queued for the image cache. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-cache-prefetcher', ['/etc/glance/glance-cache.conf']);
  if (!program) return 0;
  const { config, world } = program;
  const all = await withToolParts(program, parts => runPrefetcher({ config, world, ...parts }));
  return all ? 0 : 1;
}
