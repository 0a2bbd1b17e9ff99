import { secretsEqual } from '@folsom/core';
import type { PathHash } from '@folsom/swift';
import type { Headers } from '@folsom/swift-http';

/**
 * What replicators say to object servers beyond swift 1.7's own protocol, so that objects can be replicated without
 * rsync. Original servers ignore these headers, and then the plain requests do what they always do.
 */

/**
 * On PUT, POST and DELETE: the object comes from another replica. Nobody is told of it and no date is too old. Its
 * value is {@link replicationKey}, so that no client can say it through a proxy.
 */
export const REPLICATION_HEADER = 'x-backend-replication';

/** On REPLICATE with suffixes: answer with their files, JSON `{ hash: [file name, ...] }`, instead of their sums. */
export const LISTING_HEADER = 'x-backend-listing';

export type SuffixListing = Record<string, string[]>;

/** What only the servers of one cluster know: made from the suffix of their hashes. */
export const replicationKey = (pathHash: PathHash): string => pathHash.hex('.replication');

/** Whether a request comes from another replica's host. */
export function isReplicated(headers: Headers, pathHash: PathHash): boolean {
  const given = headers.get(REPLICATION_HEADER);
  return given !== undefined && secretsEqual(given, replicationKey(pathHash));
}
