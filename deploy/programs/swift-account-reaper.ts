import { reaperOptions, reaperPass } from '@folsom/object-account';
import { createInternalClient } from '@folsom/swift-http';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-account-reaper CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-account-reaper', argv, 'account-reaper', (world, conf) => {
    const options = reaperOptions(conf);
    const client = createInternalClient(world);
    const rings = {
      account: ringIn(world, 'account'),
      container: ringIn(world, 'container'),
      object: ringIn(world, 'object'),
    };
    return {
      pass: reaperPass({ options, rings, pathHash: world.pathHash, client, world }),
      intervalMs: options.intervalMs,
      close: () => client.close(),
    };
  });
