import { closeSync, fstatSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { MetadataError, type ObjectMetadata, readMetadata } from '@folsom/swift/object-metadata';
import {
  ConnectionBroken,
  type InternalClient,
  type InternalResponse,
  InternalTimeout,
  internalText,
  quotePath,
  type Target,
} from '@folsom/swift-http';
import { fileTimestamp } from './object-file.ts';
import { listSuffixes, missingFiles } from './suffix-listing.ts';
import { LISTING_HEADER, REPLICATION_HEADER, type SuffixListing } from './sync-protocol.ts';

const readFile = promisify(read) as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;

const CHUNK_BYTES = 262_144;

export interface HttpSyncTarget extends Target {
  device: string;
}

export interface HttpSyncOptions {
  client: InternalClient;
  connTimeoutMs: number;
  timeoutMs: number;
  /** See `replicationKey`. */
  key: string;
  /** Told of a file of ours whose metadata cannot be read. */
  onDamaged(path: string, why: string): void;
}

/**
 * Brings a replica the files of some suffixes that it lacks, by ordinary requests to its object server. A file that
 * is refused does not keep the others from going.
 * @param partitionPath our copy of the partition
 * @returns how many files were sent. Throws, after all others went, when one did not.
 */
export async function httpSync(
  partitionPath: string,
  partition: string,
  suffixes: readonly string[],
  target: HttpSyncTarget,
  options: HttpSyncOptions,
): Promise<number> {
  const ours = await listSuffixes(partitionPath, suffixes);
  const theirs = await remoteListing(partition, suffixes, target, options);
  let sent = 0;
  let failed = 0;
  let failure: Error | null = null;
  for (const [hash, names] of Object.entries(ours)) {
    for (const name of missingFiles(names, theirs[hash] ?? [])) {
      const path = `${partitionPath}/${hash.slice(-3)}/${hash}/${name}`;
      try {
        if (await sendFile(path, name, partition, target, options)) sent++;
      } catch (error) {
        // Without a connection the others would fail the same way.
        if (error instanceof ConnectionBroken || error instanceof InternalTimeout) throw error;
        if (error instanceof MetadataError) {
          options.onDamaged(path, error.message);
          break;
        }
        failed++;
        failure = error as Error;
      }
    }
  }
  if (failure) throw new Error(`${failed} files were not taken, the last one: ${failure.message}`);
  return sent;
}

/** What the other side has; an original server cannot say, and is sent everything. */
async function remoteListing(
  partition: string,
  suffixes: readonly string[],
  target: HttpSyncTarget,
  options: HttpSyncOptions,
): Promise<SuffixListing> {
  const response = await options.client.request(target, {
    method: 'REPLICATE',
    path: quotePath(`/${target.device}/${partition}/${suffixes.join('-')}`),
    headers: [
      ['content-length', '0'],
      [LISTING_HEADER, 'true'],
    ],
    connectTimeoutMs: options.connTimeoutMs,
    timeoutMs: options.timeoutMs,
  });
  const bytes = await internalText(response);
  if (response.status !== 200) throw new Error(`REPLICATE answered ${response.status}`);
  if (!response.headers.get('content-type')?.startsWith('application/json')) return {};
  return JSON.parse(bytes.toString('utf8')) as SuffixListing;
}

/** Sends one file as the request that made it; false if it is gone meanwhile. */
async function sendFile(
  path: string,
  name: string,
  partition: string,
  target: HttpSyncTarget,
  options: HttpSyncOptions,
): Promise<boolean> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const metadata = readMetadata(fd);
    const method = name.endsWith('.data') ? 'PUT' : name.endsWith('.ts') ? 'DELETE' : 'POST';
    const call = {
      method,
      path: quoteBytes(`/${target.device}/${partition}${String(metadata.name)}`),
      headers: headersOf(metadata, fileTimestamp(name), options.key),
      connectTimeoutMs: options.connTimeoutMs,
      timeoutMs: options.timeoutMs,
    };
    const response =
      method === 'PUT' ? await put(fd, call, target, options) : await plain(call, target, options);
    await internalText(response);
    // 404: a tombstone for what was not there, or metadata for what is gone by now
    const fine = response.status < 300 || (response.status === 404 && method !== 'PUT');
    if (!fine) throw new Error(`${method} answered ${response.status}`);
    return true;
  } finally {
    closeSync(fd);
  }
}

type SyncCall = Omit<Parameters<InternalClient['request']>[1], 'body'> & { headers: [string, string][] };

const plain = (call: SyncCall, target: Target, { client }: HttpSyncOptions): Promise<InternalResponse> =>
  client.request(target, { ...call, headers: [...call.headers, ['content-length', '0']] });

async function put(
  fd: number,
  call: SyncCall,
  target: Target,
  { client, timeoutMs }: HttpSyncOptions,
): Promise<InternalResponse> {
  const { size } = fstatSync(fd);
  const opened = await client.open(target, {
    ...call,
    headers: [...call.headers, ['content-length', String(size)]],
  });
  if (opened.early) return opened.early;
  try {
    for (let at = 0; at < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
      const { bytesRead } = await readFile(fd, chunk, 0, chunk.length, at);
      if (bytesRead === 0) throw new Error('the file is shorter than it was');
      await opened.write(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    return await opened.finish(timeoutMs);
  } catch (error) {
    opened.abort();
    throw error;
  }
}

/** The metadata as the headers it came in. */
function headersOf(metadata: ObjectMetadata, timestamp: string, key: string): [string, string][] {
  const headers: [string, string][] = [[REPLICATION_HEADER, key]];
  for (const [key, value] of Object.entries(metadata)) {
    if (key === 'name' || key === 'deleted' || key === 'Content-Length' || typeof value !== 'string')
      continue;
    if (key !== 'X-Timestamp') headers.push([key.toLowerCase(), value]);
  }
  headers.push([
    'x-timestamp',
    typeof metadata['X-Timestamp'] === 'string' ? metadata['X-Timestamp'] : timestamp,
  ]);
  return headers;
}

/** Quotes a path that holds one character a byte. */
const quoteBytes = (path: string): string =>
  path.replace(
    /[^A-Za-z0-9_.\-/]/g,
    character => `%${character.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
