import {
  ContainerDb,
  type DbServerConf,
  type DbServerOptions,
  dbServerConf,
  startDbServer,
} from '@folsom/container-db';
import type { RunningService } from '@folsom/core';
import { type ConfSection, STORAGE_PORTS } from '@folsom/swift';
import { createInternalClient } from '@folsom/swift-http';
import { listingCache } from './listing-cache.ts';
import { operations, SAVED_HEADERS, VERSIONS_HEADER } from './operations.ts';

/** What only container-server.conf has. */
export interface ContainerServerConf extends DbServerConf {
  /** Containers may keep older versions of their objects elsewhere. */
  allowVersions: boolean;
  allowedSyncHosts: readonly string[];
  /** Limits for telling the account server. */
  connectTimeoutMs: number;
  nodeTimeoutMs: number;
}

export interface ContainerServerOptions extends ContainerServerConf, DbServerOptions {
  /** Ports of storage servers, besides the usual ones and our own: no container is synced there. */
  storagePorts?: readonly number[];
}

export const containerServerConf = (app: ConfSection): ContainerServerConf => ({
  ...dbServerConf(app),
  allowVersions: app.bool('allow_versions', false),
  allowedSyncHosts: app.list('allowed_sync_hosts', []),
  connectTimeoutMs: app.float('conn_timeout', 0.5) * 1000,
  nodeTimeoutMs: app.float('node_timeout', 3) * 1000,
});

/** Starts swift's container server: the objects of each container. */
export async function startContainerServer(options: ContainerServerOptions): Promise<RunningService> {
  const { world, local, storagePorts = [] } = options;
  const program = 'swift-container-server';
  const client = createInternalClient(world, local);
  const saved = new Set<string>(options.allowVersions ? [...SAVED_HEADERS, VERSIONS_HEADER] : SAVED_HEADERS);
  const service = await startDbServer(
    {
      kind: 'container',
      program,
      Kind: ContainerDb,
      operations,
      context: {
        ...options,
        isSaved: name => saved.has(name) || name.startsWith('x-container-meta-'),
        storagePorts: [...STORAGE_PORTS, options.port, ...storagePorts],
        listings: listingCache(),
        client,
        log: world.log.child({ service: program }),
      },
    },
    options,
  );
  return {
    ...service,
    stop: async () => {
      await service.stop();
      client.close();
    },
  };
}
