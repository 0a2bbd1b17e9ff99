import type { ContainerDb, DbHandler, DbRequest } from '@folsom/container-db';
import type { Logger } from '@folsom/core';
import type { InternalClient } from '@folsom/swift-http';
import type { ListingCache } from './listing-cache.ts';

/** What the operations of the container server work with. */
export interface ContainerContext {
  autoCreateAccountPrefix: string;
  /** Whether a header is kept with the container. */
  isSaved: (name: string) => boolean;
  allowedSyncHosts: readonly string[];
  /** Ports of storage servers: no container is synced there. */
  storagePorts: readonly number[];
  listings: ListingCache;
  /** Tells the account server, within these limits. */
  client: InternalClient;
  connectTimeoutMs: number;
  nodeTimeoutMs: number;
  log: Logger;
}

export type ContainerRequest = DbRequest<ContainerDb>;
export type ContainerHandler = DbHandler<ContainerContext, ContainerDb>;
