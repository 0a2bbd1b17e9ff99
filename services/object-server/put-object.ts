import { hash } from 'node:crypto';
import { statfsSync, unlink, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { Fault, must } from '@folsom/core';
import { fallocate } from '@folsom/host/xattr';
import { normalizeTimestamp } from '@folsom/swift';
import { type ObjectMetadata, writeMetadata } from '@folsom/swift/object-metadata';
import {
  answer,
  brokenBodyAnswer,
  ClientTimeout,
  type Headers,
  intoMemory,
  type ServerResponse,
  titleCase,
} from '@folsom/swift-http';
import { updateContainer, updateDeleteAt } from './container-updates.ts';
import { type ObjectRequest, type ObjectServerContext, onQuarantine } from './context.ts';
import { refuseCreation } from './creation-check.ts';
import { commit, discard, type NewFile, newFile } from './durable-file.ts';
import { md5Of, type Written, writeBody } from './large-body.ts';
import { currentObject, fileTimestamp, type ObjectFiles, type ObjectPlace } from './object-file.ts';
import { sharedMd5 } from './same-upload.ts';
import { invalidateSuffix } from './suffix-hashes.ts';
import { isReplicated } from './sync-protocol.ts';

const unlinkFile = promisify(unlink);

/** Bodies up to this size are gathered in memory and written at once. */
const GATHER_BYTES_MAX = 65_536;

/** With this much free, a file system that has no room for attributes is not full. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;

/** PUT: stores an object. When this answers 201 its bytes, metadata and name are on disk. */
export async function putObject(
  context: ObjectServerContext,
  request: ObjectRequest,
): Promise<ServerResponse> {
  const { http, place } = request;
  const { world } = context;
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const timestamp = timestampOf(http.headers);
  const refused = refuseCreation(http, place.name.length - slashBytes(request));
  if (refused) return refused;
  const deleteAt = deleteAtOf(http.headers.get('x-delete-at'));
  if (deleteAt === null) return bad('Non-integer X-Delete-At');
  const replicated = isReplicated(http.headers, context.pathHash);
  if (deleteAt && !replicated && deleteAt < world.clock.now() / 1000) return bad('X-Delete-At in past');

  const before = currentObject(place, world.random, onQuarantine(context, place));
  const length = http.body.length;
  let file: NewFile | null = null;
  try {
    file = newFile(place.device, world.random);
    if (length !== null && !reserve(context, place, file, length)) return noRoom(request);
    const written = await receive(context, request, file, length);
    if (!('etag' in written)) return written;
    const wanted = http.headers.get('etag');
    if (wanted !== undefined && wanted.toLowerCase() !== written.etag) return answer(422, http);

    const metadata: ObjectMetadata = {
      'X-Timestamp': timestamp,
      'Content-Type': must(http.headers.get('content-type'), 'the headers have content-type'),
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
        'x-content-type': must(http.headers.get('content-type'), 'the headers have content-type'),
        'x-timestamp': timestamp,
        'x-etag': written.etag,
      });
    }
    return answer(201, http, { headers: [['etag', written.etag]] });
  } catch (error) {
    if (isNoRoom(error)) return noRoom(request);
    const broken = brokenBodyAnswer(error, http);
    if (broken) return broken;
    throw error;
  } finally {
    if (file) discard(file);
  }
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
  });
  const suffix = place.directory.slice(0, place.directory.lastIndexOf('/'));
  await invalidateSuffix(suffix, world.clock);
  if (ending === '.meta') return;
  for (const name of before.all) {
    if (fileTimestamp(name) >= timestamp) continue;
    await unlinkFile(`${place.directory}/${name}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

/** Makes sure of the room for an upload; false if there is not enough. */
function reserve(context: ObjectServerContext, place: ObjectPlace, file: NewFile, length: number): boolean {
  const { options } = context;
  if (options.disableFallocate || length === 0) return true;
  if (options.fallocateReserve > 0) {
    const { bavail, bsize } = statfsSync(place.device);
    if (bavail * bsize - length < options.fallocateReserve) return false;
  }
  // A small body is written right away and fails there if it has to.
  if (length > GATHER_BYTES_MAX) fallocate(file.fd, length);
  return true;
}

async function receive(
  context: ObjectServerContext,
  request: ObjectRequest,
  file: NewFile,
  length: number | null,
): Promise<Written | ServerResponse> {
  const { http } = request;
  const deadline = context.world.clock.monotonic() + context.options.maxUploadMs;
  const late = () => context.world.clock.monotonic() > deadline;
  if (length !== null && length <= GATHER_BYTES_MAX) {
    const parts: Buffer[] = [];
    let size = 0;
    for (let chunk = await read(request, length, size); chunk; chunk = await read(request, length, size)) {
      if (late()) return answer(408, http);
      parts.push(chunk);
      size += chunk.length;
    }
    if (size !== length) return answer(499, http);
    const bytes = parts.length === 1 ? must(parts[0], 'parts is not empty') : Buffer.concat(parts, size);
    for (let at = 0; at < size; ) at += writeSync(file.fd, bytes, at, size - at);
    return { size, etag: hash('md5', bytes, 'hex') };
  }
  const next = intoMemory(http.body);
  let size = 0;
  const written = await writeBody(
    file.fd,
    async target => {
      // Never more is asked for than there is.
      const came = length !== null && size >= length ? 0 : await next(target);
      if (came > 0 && late()) throw new ClientTimeout('the upload took too long');
      size += came;
      return came;
    },
    {
      bytesPerSync: context.options.bytesPerSync,
      md5: sharedMd5(uploadOf(request), () => md5Of(length)),
    },
  );
  return length !== null && size !== length ? answer(499, http) : written;
}

/** What the replicas of one upload have in common. */
const uploadOf = ({ http, place }: ObjectRequest): string =>
  `${http.headers.get('x-trans-id') ?? ''} ${http.headers.get('x-timestamp') ?? ''} ${place.name}`;

/** The next bytes of a body; does not ask for more than there are. */
const read = ({ http }: ObjectRequest, length: number | null, size: number): Promise<Buffer | null> =>
  length !== null && size >= length ? Promise.resolve(null) : http.body.read();

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'ENODEV', 'EXDEV', 'E27']);

/** Whether an error means that the device can take no more: full, or broken. */
export const isNoRoom = (error: unknown): boolean => NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '');

export const noRoom = ({ http, deviceName }: ObjectRequest): ServerResponse =>
  answer(507, http, { detail: `${deviceName} is full` });
