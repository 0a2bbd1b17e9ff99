import { updaterOptions, updaterPass } from '@folsom/object-container';
import { createInternalClient } from '@folsom/swift-http';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-container-updater CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-container-updater', argv, 'container-updater', (world, conf) => {
    const options = updaterOptions(conf);
    const client = createInternalClient(world);
    const ring = ringIn(world, 'account');
    const pass = updaterPass({ options, ring, pathHash: world.pathHash, client, world });
    return {
      pass,
      metrics: () => {
        const { unchanged, ...counts } = pass.counts();
        return { ...counts, no_changes: unchanged };
      },
      intervalMs: options.intervalMs,
      close: () => client.close(),
    };
  });
