import { updaterOptions, updaterPass } from '@folsom/object-container';
import { createInternalClient } from '@folsom/swift/internal-client';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-container-updater CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-container-updater', argv, 'container-updater', (world, conf) => {
    const options = updaterOptions(conf);
    const client = createInternalClient(world);
    return {
      pass: updaterPass({ options, ring: ringIn(world, 'account'), pathHash: world.pathHash, client, world }),
      intervalMs: options.intervalMs,
      close: () => client.close(),
    };
  });
