import { replicateObjects, replicatorOptions, startObjectReplicator } from '@folsom/object-server';
import { openRing } from '@folsom/ring';
import { createInternalClient } from '@folsom/swift-http';
import { runSwiftDaemon, type SwiftWorld, swiftArgs } from '../swift-program.ts';

/** swift-object-replicator: brings the other replicas of this host's partitions what they lack. */
export async function main(argv: string[]): Promise<number> {
  const args = swiftArgs('swift-object-replicator', argv, true);
  if (typeof args === 'number') return args;
  const section = args.conf.section('object-replicator');
  const settings = (world: SwiftWorld) => ({
    options: replicatorOptions(section),
    ring: openRing({
      path: `${world.swiftDir}/object.ring.gz`,
      clock: world.clock,
      reloadMs: section.int('ring_check_interval', 15) * 1000,
    }),
    pathHash: world.pathHash,
    client: createInternalClient(world),
    world,
  });
  return runSwiftDaemon(args, section, {
    once: async world => {
      const own = settings(world);
      await replicateObjects(own);
      own.client.close();
    },
    forever: world => startObjectReplicator(settings(world)),
  });
}
