import { AccountDb } from '@folsom/swift/db-account';
import { dbReplicationPass, dbReplicatorOptions, replicationMetrics } from '@folsom/swift/db-replicator';
import { createInternalClient } from '@folsom/swift/internal-client';
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
