import { EACH_HEADER, normalizeTimestamp } from '@folsom/swift';
import type { ObjectMetadata } from '@folsom/swift/object-metadata';
import { answer, type ServerResponse } from '@folsom/swift-http';
import { updateContainer, updateDeleteAt } from './container-updates.ts';
import { type ObjectRequest, type ObjectServerContext, onQuarantine } from './context.ts';
import { refuseMetadata } from './creation-check.ts';
import { discard, type NewFile, newFile } from './durable-file.ts';
import { currentObject, fileTimestamp, isExpired } from './object-file.ts';
import { addHeaders, deleteAtOf, storeFile, timestampOf } from './put-object.ts';
import { isNoRoom, noRoom } from './refusal.ts';
import { isReplicated } from './sync-protocol.ts';

/** POST: replaces the object's own metadata. */
export async function postObject(
  context: ObjectServerContext,
  request: ObjectRequest,
): Promise<ServerResponse> {
  const { http, place } = request;
  const { world } = context;
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const timestamp = timestampOf(http.headers);
  const refused = refuseMetadata(http);
  if (refused) return refused;
  const deleteAt = deleteAtOf(http.headers.get('x-delete-at'));
  if (deleteAt === null) return bad('Non-integer X-Delete-At');
  const now = world.clock.now() / 1000;
  const replicated = isReplicated(http.headers, context.pathHash);
  if (deleteAt && !replicated && deleteAt < now) return bad('X-Delete-At in past');
  const before = currentObject(place, world.random, onQuarantine(context, place));
  if (!before.metadata || (!replicated && isExpired(before.metadata, now))) return answer(404, http);
  const metadata: ObjectMetadata = { 'X-Timestamp': timestamp };
  addHeaders(context, request, metadata);
  return withNewFile(context, request, async file => {
    if (before.deleteAt !== deleteAt && !replicated) {
      if (deleteAt) await updateDeleteAt(context, request, 'PUT', deleteAt);
      if (before.deleteAt) await updateDeleteAt(context, request, 'DELETE', before.deleteAt);
    }
    await storeFile(context, place, file, metadata, '.meta', before.files);
    return answer(202, http);
  });
}

/** DELETE: leaves a tombstone, so that no replica brings the object back. */
export async function deleteObject(
  context: ObjectServerContext,
  request: ObjectRequest,
): Promise<ServerResponse> {
  const { http, place } = request;
  const { world } = context;
  const timestamp = timestampOf(http.headers);
  const before = currentObject(place, world.random, onQuarantine(context, place));
  const condition = http.headers.get('x-if-delete-at');
  if (condition !== undefined) {
    const wanted = deleteAtOf(condition);
    if (wanted === null) {
      return answer(400, http, { body: 'Bad X-If-Delete-At header value', contentType: 'text/plain' });
    }
    if (wanted !== before.deleteAt) {
      return answer(412, http, { body: 'X-If-Delete-At and X-Delete-At do not match' });
    }
  }
  // An old timestamp from outside must not pile up tombstones that mean nothing.
  const newest = before.files.tombstone ?? before.files.data;
  if (newest !== null && fileTimestamp(newest) > normalizeTimestamp(timestamp)) {
    return answer(before.metadata ? 202 : 404, http);
  }
  return withNewFile(context, request, async file => {
    const replicated = isReplicated(http.headers, context.pathHash);
    if (before.deleteAt && !replicated) await updateDeleteAt(context, request, 'DELETE', before.deleteAt);
    await storeFile(context, place, file, { 'X-Timestamp': timestamp, deleted: true }, '.ts', before.files);
    if (!replicated && (before.timestamp === null || before.timestamp < timestamp)) {
      await updateContainer(context, request, 'DELETE', { 'x-timestamp': timestamp });
    }
    return answer(before.metadata ? 204 : 404, http, { headers: [[EACH_HEADER, 'true']] });
  });
}

async function withNewFile(
  context: ObjectServerContext,
  request: ObjectRequest,
  work: (file: NewFile) => Promise<ServerResponse>,
): Promise<ServerResponse> {
  let file: NewFile | null = null;
  try {
    file = newFile(request.place.device, context.world.random);
    return await work(file);
  } catch (error) {
    if (isNoRoom(error)) return noRoom(request);
    throw error;
  } finally {
    if (file) discard(file);
  }
}
