import { must } from '@folsom/core';
import { answer, quotePath, type ServerResponse } from '@folsom/swift-http';
import { bestResponse, requestAll } from './backend-write.ts';
import { badMetadata } from './constraints.ts';
import { changeObject } from './each-replica.ts';
import { containerInfo } from './info.ts';
import { ListingRefused, listObjects } from './manifest.ts';
import { type ProxyCore, placeOf } from './nodes.ts';
import { expiryOf, handleObjectPut, updateHeaders, writeTimestamp } from './object-write.ts';
import { type ProxyRequest, subRequest } from './request.ts';
import { archiveOf, versionPrefix } from './versions.ts';

/** POST: new metadata. By default a copy of the object onto itself, so that listings learn of it too. */
export async function handleObjectPost(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  const { headers } = request;
  if (core.options.objectPostAsCopy) {
    request.method = 'PUT';
    request.path = `/v1/${account}/${container}/${object}`;
    headers.set('content-length', '0');
    headers.delete('transfer-encoding');
    // New metadata is for the whole object: a range would cut it off.
    headers.delete('range');
    headers.set('x-copy-from', quotePath(`/${container}/${object}`));
    headers.set('x-fresh-metadata', 'true');
    request.versionedCopy = true;
    const response = await handleObjectPut(core, request, account, container, object);
    // A copy that worked is, to the client, an accepted change.
    if (response.status !== 201) return response;
    return answer(202, request);
  }
  const bad = badMetadata(request, 'object');
  if (bad) return bad;
  const info = await containerInfo(core, request, account, container, core.options.accountAutocreate);
  request.acl = info?.writeAcl;
  const refused = request.authorize?.(request);
  if (refused) return refused;
  if (!info) return answer(404, request);
  const expiry = expiryOf(core, request);
  if (expiry && 'status' in expiry) return expiry;
  request.syncKey = info.syncKey;
  const time = writeTimestamp(core, request);
  if ('status' in time) return time;
  const place = placeOf(core, 'object', account, container, object);
  const perNode = updateHeaders(request, info, expiry, [['X-Timestamp', time.timestamp]]);
  const answers = await requestAll(
    core,
    'object',
    place,
    'POST',
    `/${account}/${container}/${object}`,
    perNode,
  );
  return bestResponse(answers, 'Object POST', core);
}

/** DELETE; in a container that keeps versions the one before comes back. */
export async function handleObjectDelete(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  let info = await containerInfo(core, request, account, container);
  request.acl = info?.writeAcl;
  request.syncKey = info?.syncKey;
  const refused = request.authorize?.(request);
  if (refused) return refused;
  if (!info) return answer(404, request);
  let target = { container, object };
  const archive = info.versions ? archiveOf(info.versions) : null;
  if (archive !== null) {
    const last = await lastVersion(core, request, account, archive, versionPrefix(object));
    if (last && typeof last !== 'string') return last;
    if (typeof last === 'string') {
      const archiveInfo = await containerInfo(core, request, account, archive);
      // Taking a version out of the archive needs the right to write there.
      const there = subRequest(request, {
        method: 'DELETE',
        path: `/v1/${account}/${archive}/${last}`,
        headers: request.headers,
      });
      there.acl = archiveInfo?.writeAcl;
      const forbidden = request.authorize?.(there);
      if (forbidden) return forbidden;
      const copy = subRequest(request, {
        method: 'PUT',
        path: `/v1/${account}/${container}/${object}`,
        headers: new Map([
          ['x-copy-from', quotePath(`/${archive}/${last}`)],
          ['x-newest', 'true'],
          ['content-length', '0'],
        ]),
        authorize: null,
        versionedCopy: true,
      });
      const copied = await handleObjectPut(core, copy, account, container, object);
      if (copied.status >= 400 && copied.status < 500) return answer(412, request);
      if (copied.status < 200 || copied.status >= 300) return answer(503, request);
      if (!archiveInfo) return answer(404, request);
      info = archiveInfo;
      target = { container: archive, object: last };
    }
  }
  const time = writeTimestamp(core, request);
  if ('status' in time) return time;
  const place = placeOf(core, 'object', account, target.container, target.object);
  const perNode = updateHeaders(request, info, null, [['X-Timestamp', time.timestamp]]);
  const path = `/${account}/${target.container}/${target.object}`;
  return bestResponse(await changeObject(core, place, 'DELETE', path, perNode), 'Object DELETE', core);
}

/** The newest name in the archive; null if there is none; an answer if it may not be looked at. */
async function lastVersion(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  archive: string,
  prefix: string,
): Promise<string | null | ServerResponse> {
  let last: string | null = null;
  try {
    for await (const page of listObjects(core, request, account, archive, prefix))
      last = must(page[page.length - 1], 'page is not empty').name;
  } catch (error) {
    if (!(error instanceof ListingRefused)) throw error;
    return error.response.status === 404 ? null : error.response;
  }
  return last;
}
