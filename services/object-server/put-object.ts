import { statfsSync, statSync, unlink, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { Fault, must } from '@folsom/core';
import { EACH_HEADER, normalizeTimestamp } from '@folsom/swift';
import { type ObjectMetadata, writeMetadata } from '@folsom/swift/object-metadata';
import { answer, type Headers, type ServerResponse, titleCase } from '@folsom/swift-http';
import { updateContainer, updateDeleteAt } from './container-updates.ts';
import { type ObjectRequest, type ObjectServerContext, onQuarantine } from './context.ts';
import { refuseCreation } from './creation-check.ts';
import { commit, discard, type NewFile, newFile } from './durable-file.ts';
import type { BodyTarget, Written } from './large-body.ts';
import {
  type CurrentObject,
  currentObject,
  fileTimestamp,
  type ObjectFiles,
  type ObjectPlace,
} from './object-file.ts';
import { receive, reserve } from './receive-body.ts';
import { changeFailed, isNoRoom, noRoom, refusalOf } from './refusal.ts';
import { invalidateSuffix } from './suffix-hashes.ts';
import { isReplicated } from './sync-protocol.ts';

const unlinkFile = promisify(unlink);

/** With this much free, a file system that has no room for attributes is not full. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;

/** PUT: stores an object. When this answers 201 its bytes, metadata and name are on disk. */
export const putObject = async (
  context: ObjectServerContext,
  request: ObjectRequest,
): Promise<ServerResponse> =>
  must((await putReplicas(context, [request]))[0], 'each request gets its answer');

/** An object on its way to a device. */
interface Replica {
  request: ObjectRequest;
  before: CurrentObject;
  file: NewFile;
}

/**
 * Stores an object on several devices; the requests have all but their devices in common, and one body. Where one of them
 * cannot begin, none does: the others are answered 503, to come by themselves.
 */
export async function putReplicas(
  context: ObjectServerContext,
  requests: readonly ObjectRequest[],
): Promise<ServerResponse[]> {
  const first = must(requests[0], 'there is a request');
  const { http } = first;
  const all = (response: ServerResponse) => requests.map(() => response);
  const refused = refusePut(context, first);
  if (refused) return all(refused);
  const replicas: Replica[] = [];
  try {
    const begun = requests.map(request => begin(context, request));
    for (const one of begun) if (!('status' in one)) replicas.push(one);
    if (replicas.length < requests.length)
      return begun.map(one => ('status' in one ? one : answer(503, http)));
    const targets = replicas.map(({ file }): BodyTarget => ({ fd: file.fd, failed: null }));
    const written = await receive(context, first, targets);
    if (!('etag' in written)) return all(written);
    const wanted = http.headers.get('etag');
    if (wanted !== undefined && wanted.toLowerCase() !== written.etag) return all(answer(422, http));
    return await Promise.all(
      replicas.map(async (replica, i) => {
        try {
          const failed = targets[i]?.failed;
          if (failed) throw failed.error;
          return await keep(context, replica, written);
        } catch (error) {
          return changeFailed(context, replica.request, error);
        }
      }),
    );
  } catch (error) {
    if (requests.length === 1) return [changeFailed(context, first, error)];
    return all(refusalOf(error, http, context.world.log));
  } finally {
    for (const { file } of replicas) discard(file);
  }
}

/** Files up to this size have no more than a few pieces to be freed. */
const QUICK_BYTES_MAX = 1_048_576;

/** A large file takes some disks long to free: longer than another thread costs. */
async function remove(path: string): Promise<void> {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  try {
    if (size <= QUICK_BYTES_MAX) unlinkSync(path);
    else await unlinkFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Why an upload is refused whatever its body and its device are; null if it is not. */
function refusePut({ pathHash, world }: ObjectServerContext, request: ObjectRequest): ServerResponse | null {
  const { http, place } = request;
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const refused = refuseCreation(http, place.name.length - slashBytes(request));
  if (refused) return refused;
  const deleteAt = deleteAtOf(http.headers.get('x-delete-at'));
  if (deleteAt === null) return bad('Non-integer X-Delete-At');
  const past = deleteAt && deleteAt < world.clock.now() / 1000 && !isReplicated(http.headers, pathHash);
  return past ? bad('X-Delete-At in past') : null;
}

function begin(context: ObjectServerContext, request: ObjectRequest): Replica | ServerResponse {
  const { http, place } = request;
  const { random } = context.world;
  try {
    const before = currentObject(place, random, onQuarantine(context, place));
    const file = newFile(place.device, random);
    try {
      const { length } = http.body;
      if (length === null || reserve(context, place, file, length)) return { request, before, file };
    } catch (error) {
      discard(file);
      throw error;
    }
    discard(file);
    return noRoom(request);
  } catch (error) {
    return changeFailed(context, request, error);
  }
}

/** Puts a received body in its place, and tells the container. */
async function keep(
  context: ObjectServerContext,
  { request, before, file }: Replica,
  written: Written,
): Promise<ServerResponse> {
  const { http, place } = request;
  const timestamp = timestampOf(http.headers);
  const deleteAt = deleteAtOf(http.headers.get('x-delete-at')) ?? 0;
  const replicated = isReplicated(http.headers, context.pathHash);
  const type = must(http.headers.get('content-type'), 'the headers have content-type');
  const metadata: ObjectMetadata = {
    'X-Timestamp': timestamp,
    'Content-Type': type,
    ETag: written.etag,
    'Content-Length': String(written.size),
  };
  addHeaders(context, request, metadata);
  if (before.deleteAt !== deleteAt && !replicated) {
    if (deleteAt) await updateDeleteAt(context, request, 'PUT', deleteAt);
    if (before.deleteAt) await updateDeleteAt(context, request, 'DELETE', before.deleteAt);
  }
  await storeFile(context, place, file, metadata, '.data', before.files);
  if (!replicated && (before.timestamp === null || before.timestamp < timestamp)) {
    await updateContainer(context, request, 'PUT', {
      'x-size': String(written.size),
      'x-content-type': type,
      'x-timestamp': timestamp,
      'x-etag': written.etag,
    });
  }
  return answer(201, http, {
    headers: [
      ['etag', written.etag],
      [EACH_HEADER, 'true'],
    ],
  });
}

const slashBytes = ({ account, container }: ObjectRequest): number =>
  Buffer.byteLength(account) + Buffer.byteLength(container) + 3;

/** X-Timestamp as it was sent. */
export const timestampOf = (headers: Headers): string =>
  must(headers.get('x-timestamp'), 'a request that writes was checked for its timestamp');

/** Seconds; 0 if there is no header, null if it is no whole number. */
export function deleteAtOf(header: string | undefined): number | null {
  if (header === undefined || header === '') return 0;
  return /^\s*[+-]?\d{1,15}\s*$/.test(header) ? Number(header) : null;
}

/** The headers that stay with an object: its own metadata and those the options allow. */
export function addHeaders(
  { options }: ObjectServerContext,
  { http }: ObjectRequest,
  metadata: ObjectMetadata,
): void {
  for (const [name, value] of http.headers) {
    if (name.startsWith('x-object-meta-') && name.length > 14) metadata[titleCase(name)] = value;
  }
  for (const name of options.allowedHeaders) {
    const value = http.headers.get(name);
    if (value !== undefined) metadata[titleCase(name)] = value;
  }
}

/**
 * Puts a written file in place with its metadata, durably; then forgets what it supersedes.
 * @param before what was in the object's directory before.
 */
export async function storeFile(
  context: ObjectServerContext,
  place: ObjectPlace,
  file: NewFile,
  metadata: ObjectMetadata,
  ending: '.data' | '.ts' | '.meta',
  before: ObjectFiles,
): Promise<void> {
  const { world } = context;
  const timestamp = normalizeTimestamp(String(metadata['X-Timestamp']));
  try {
    writeMetadata(file.fd, { ...metadata, name: place.name });
  } catch (error) {
    // ext4 has some 4 KiB for all attributes of a file. That is this object's trouble, not the device's.
    if (!isNoRoom(error) && (error as NodeJS.ErrnoException).code !== 'E2BIG') throw error;
    const { bsize, bavail } = statfsSync(place.device);
    if (bsize * bavail < FREE_BYTES_MIN) throw error;
    throw new Fault('MetadataTooLarge', 400, 'Total metadata too large for the file system', {
      cause: error,
    });
  }
  await commit(file, `${place.directory}/${timestamp}${ending}`, {
    device: place.device,
    random: world.random,
    directoryThere: before.present,
    nameSaysAll: ending === '.ts',
  });
  const suffix = place.directory.slice(0, place.directory.lastIndexOf('/'));
  await invalidateSuffix(suffix, world.clock);
  if (ending === '.meta') return;
  for (const name of before.all) {
    if (fileTimestamp(name) >= timestamp) continue;
    await remove(`${place.directory}/${name}`);
  }
}
