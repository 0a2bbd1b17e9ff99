import { mkdirSync } from 'node:fs';
import { pickle } from '@folsom/pickle';
import { answer, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import type { ObjectServerContext } from './context.ts';
import { quarantine } from './quarantine.ts';
import { RECLAIM_AGE_SECONDS, suffixHashes } from './suffix-hashes.ts';
import { listSuffixes } from './suffix-listing.ts';
import { LISTING_HEADER } from './sync-protocol.ts';

/** REPLICATE: the suffix hashes of a partition, after hashing anew those that the caller names. */
export async function replicatePartition(
  { options, world }: ObjectServerContext,
  http: ServerRequest,
  { device, partition, suffixes }: { device: string; partition: string; suffixes: string | undefined },
): Promise<ServerResponse> {
  if (!/^\d{1,10}$/.test(partition))
    return answer(400, http, { body: `Invalid partition: ${partition}`, contentType: 'text/plain' });
  const directory = `${options.devices}/${device}/objects/${partition}`;
  mkdirSync(directory, { recursive: true });
  const named = suffixes?.split('-') ?? [];
  if (http.headers.has(LISTING_HEADER) && suffixes) {
    const listing = await listSuffixes(directory, named);
    return {
      status: 200,
      headers: new Map([['content-type', 'application/json']]),
      body: Buffer.from(JSON.stringify(listing)),
    };
  }
  const { hashes } = await suffixHashes(directory, {
    clock: world.clock,
    log: world.log,
    reclaimAge: RECLAIM_AGE_SECONDS,
    recalculate: suffixes ? named : [],
    quarantine: (at, file) => void quarantine(at, `${file}/x`, world.random),
  });
  return {
    status: 200,
    headers: new Map([['content-type', 'text/html; charset=UTF-8']]),
    body: pickle(hashes, { protocol: 0 }),
  };
}
