import {
  ContainerDb,
  dbReplicationPass,
  dbReplicatorOptions,
  replicationMetrics,
} from '@folsom/container-db';
import { createInternalClient } from '@folsom/swift-http';
import { ringIn, swiftDaemon } from '../swift-server.ts';

/** swift-container-replicator CONFIG [--once] */
export const main = (argv: string[]): Promise<number> =>
  swiftDaemon('swift-container-replicator', argv, 'container-replicator', (world, conf) => {
    const options = dbReplicatorOptions(conf, 6001);
    const client = createInternalClient(world);
    const pass = dbReplicationPass({
      kind: 'container',
      Kind: ContainerDb,
      ring: ringIn(world, 'container'),
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
