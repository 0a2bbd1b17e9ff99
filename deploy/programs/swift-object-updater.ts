import { startObjectUpdater, sweepUpdates, updaterOptions } from '@folsom/object-server';
import { openRing } from '@folsom/ring';
import { createInternalClient } from '@folsom/swift-http';
import { runSwiftDaemon, type SwiftWorld, swiftArgs } from '../swift-program.ts';

/** swift-object-updater: tells container servers what they could not be told when it happened. */
export async function main(argv: string[]): Promise<number> {
  const args = swiftArgs('swift-object-updater', argv, true);
  if (typeof args === 'number') return args;
  const section = args.conf.section('object-updater');
  const settings = (world: SwiftWorld) => ({
    options: updaterOptions(section),
    containerRing: openRing({ path: `${world.swiftDir}/container.ring.gz`, clock: world.clock }),
    pathHash: world.pathHash,
    client: createInternalClient(world),
    world,
  });
  return runSwiftDaemon(args, section, {
    once: async world => {
      const own = settings(world);
      await sweepUpdates(own);
      own.client.close();
    },
    forever: world => startObjectUpdater(settings(world)),
  });
}
