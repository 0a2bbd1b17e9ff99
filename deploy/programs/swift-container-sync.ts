import { syncOptions, syncPass } from '@folsom/object-container';
import { createInternalClient } from '@folsom/swift-http';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-container-sync CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-container-sync', argv, 'container-sync', (world, conf) => {
    const options = syncOptions(conf);
    const client = createInternalClient(world);
    const pass = syncPass({
      options,
      rings: { container: ringIn(world, 'container'), object: ringIn(world, 'object') },
      pathHash: world.pathHash,
      client,
      world,
    });
    return {
      pass,
      metrics: () => ({ ...pass.counts() }),
      intervalMs: options.intervalMs,
      close: async () => {
        client.close();
        await pass.close();
      },
    };
  });
