import { hash } from 'node:crypto';
import { statfsSync, writeSync } from 'node:fs';
import { must } from '@folsom/core';
import { fallocate } from '@folsom/host/xattr';
import { answer, ClientTimeout, intoMemory, type ServerResponse } from '@folsom/swift-http';
import type { ObjectRequest, ObjectServerContext } from './context.ts';
import type { NewFile } from './durable-file.ts';
import { type BodyTarget, md5Of, type Written, writeBody } from './large-body.ts';
import type { ObjectPlace } from './object-file.ts';
import { sharedMd5 } from './same-upload.ts';

/** Bodies up to this size are gathered in memory and written at once. */
const GATHER_BYTES_MAX = 65_536;

/** Makes sure of the room for an upload; false if there is not enough. */
export function reserve(
  { options }: ObjectServerContext,
  place: ObjectPlace,
  file: NewFile,
  length: number,
): boolean {
  if (options.disableFallocate || length === 0) return true;
  if (options.fallocateReserve > 0) {
    const { bavail, bsize } = statfsSync(place.device);
    if (bavail * bsize - length < options.fallocateReserve) return false;
  }
  // A small body is written right away and fails there if it has to.
  if (length > GATHER_BYTES_MAX) fallocate(file.fd, length);
  return true;
}

/**
 * Writes the body of a request to files, one for each device it is for. A file that fails is left alone, as long as there
 * are others.
 */
export async function receive(
  context: ObjectServerContext,
  request: ObjectRequest,
  targets: readonly BodyTarget[],
): Promise<Written | ServerResponse> {
  const { http } = request;
  const { length } = http.body;
  const deadline = context.world.clock.monotonic() + context.options.maxUploadMs;
  const late = () => context.world.clock.monotonic() > deadline;
  if (length !== null && length <= GATHER_BYTES_MAX) {
    const bytes = await gather(request, length, late);
    return Buffer.isBuffer(bytes) ? writeWhole(targets, bytes) : bytes;
  }
  const next = intoMemory(http.body);
  let size = 0;
  const written = await writeBody(
    targets,
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

async function gather(
  { http }: ObjectRequest,
  length: number,
  late: () => boolean,
): Promise<Buffer | ServerResponse> {
  const parts: Buffer[] = [];
  let size = 0;
  // Never more is asked for than there is.
  while (size < length) {
    const chunk = await http.body.read();
    if (!chunk) break;
    if (late()) return answer(408, http);
    parts.push(chunk);
    size += chunk.length;
  }
  if (size !== length) return answer(499, http);
  return parts.length === 1 ? must(parts[0], 'parts is not empty') : Buffer.concat(parts, size);
}

function writeWhole(targets: readonly BodyTarget[], bytes: Buffer): Written {
  for (const target of targets) {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(target.fd, bytes, at, bytes.length - at);
    } catch (error) {
      target.failed = { error };
    }
  }
  return { size: bytes.length, etag: hash('md5', bytes, 'hex') };
}

/** What the replicas of one upload have in common. */
const uploadOf = ({ http, place }: ObjectRequest): string =>
  `${http.headers.get('x-trans-id') ?? ''} ${http.headers.get('x-timestamp') ?? ''} ${place.name}`;
