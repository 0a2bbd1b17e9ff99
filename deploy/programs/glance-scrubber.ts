import { imageOptions, runScrubber } from '@folsom/image';
import { glanceProgram, withToolParts } from '../glance-program.ts';
import { runUntilSignal } from '../run.ts';

/** glance-scrubber: removes the bytes of deleted images, once or, with --daemon, every wakeup_time seconds. */
export async function main(argv: string[]): Promise<number> {
  const program = glanceProgram(argv, 'glance-scrubber', ['/etc/glance/glance-scrubber.conf']);
  if (!program) return 0;
  const { config, world } = program;
  const settings = config.of(imageOptions);
  const once = () => withToolParts(program, parts => runScrubber({ config, world, ...parts }));
  if (!settings.daemon) {
    await once();
    return 0;
  }
  const stopping = new AbortController();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await once().catch(error => world.log.error('a run of the scrubber failed', { error }));
      await world.clock.sleep(settings.wakeup_time * 1000, stopping.signal).catch(() => {});
    }
  })();
  return runUntilSignal(
    {
      name: 'glance-scrubber',
      stop: async () => {
        stopping.abort();
        await loop;
      },
    },
    world.log,
  );
}
