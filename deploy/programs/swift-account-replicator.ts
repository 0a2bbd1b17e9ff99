import { AccountDb, dbReplicationPass, dbReplicatorOptions, replicationMetrics } from '@folsom/container-db';
import { createInternalClient } from '@folsom/swift-http';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-account-replicator CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-account-replicator', argv, 'account-replicator', (world, conf) => {
    const options = dbReplicatorOptions(conf, 6002);
    const client = createInternalClient(world);
    const pass = dbReplicationPass({
      kind: 'account',
      Kind: AccountDb,
      ring: ringIn(world, 'account'),
      client,
      world,
      options,
    });
    return {
      pass,
      metrics: () => replicationMetrics(pass.stats()),
      intervalMs: options.intervalMs,
      close: () => client.close(),
    };
  });
