import { secretsEqual } from '@folsom/core';
import { normalizeTimestamp, parseFloatText, timestampMs } from '@folsom/swift';
import {
  answer,
  BadFraming,
  ClientTimeout,
  dropBody,
  httpDate,
  quotePath,
  type ServerResponse,
} from '@folsom/swift-http';
import { type BackendAnswer, bestResponse, forwardHeaders } from './backend-write.ts';
import { badObjectCreation, contentLength } from './constraints.ts';
import { type ContainerInfo, containerInfo } from './info.ts';
import { type Place, type ProxyCore, placeOf } from './nodes.ts';
import { copySource, namedObject, type ObjectSource } from './object-copy.ts';
import { readObject } from './object-read.ts';
import { putLarge, putSmall, SMALL_BODY } from './object-upload.ts';
import { type ProxyRequest, subRequest } from './request.ts';
import { archiving } from './versions.ts';

/** Where an object's expiry is noted: one container per day in a hidden account. */
export interface Expiry extends Place {
  container: string;
}

/** X-Delete-After becomes X-Delete-At, which must lie ahead; the place of its note, or the refusal. */
export function expiryOf(core: ProxyCore, request: ProxyRequest): Expiry | null | ServerResponse {
  const { headers } = request;
  const now = core.world.clock.now() / 1000;
  const bad = (body: string): ServerResponse => answer(400, request, { body, contentType: 'text/plain' });
  const after = headers.get('x-delete-after');
  if (after !== undefined) {
    if (!/^\s*[+-]?\d{1,15}\s*$/.test(after)) return bad('Non-integer X-Delete-After');
    headers.set('x-delete-at', String(Math.trunc(now + Number(after))));
  }
  const at = headers.get('x-delete-at');
  if (at === undefined) return null;
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(at)) return bad('Non-integer X-Delete-At');
  const when = Number(at);
  if (when < now) return bad('X-Delete-At in past');
  const divisor = core.options.expiringObjectsContainerDivisor;
  const container = String(Math.floor(when / divisor) * divisor);
  return { container, ...placeOf(core, 'container', core.options.expiringObjectsAccount, container) };
}

/** Headers for each object node: which container node (and which note of expiry) it is to update. */
export function updateHeaders(
  request: ProxyRequest,
  info: ContainerInfo,
  expiry: Expiry | null,
  extra: Iterable<readonly [string, string]>,
): Map<string, string>[] {
  const shared = forwardHeaders(request.headers, extra);
  shared.delete('x-delete-after');
  shared.set('x-trans-id', request.transId);
  return info.nodes.map((node, index) => {
    const own = new Map(shared);
    own.set('x-container-host', `${node.ip}:${node.port}`);
    own.set('x-container-partition', String(info.partition));
    own.set('x-container-device', node.device);
    const note = expiry?.nodes[index];
    if (expiry && note) {
      own.set('x-delete-at-host', `${note.ip}:${note.port}`);
      own.set('x-delete-at-partition', String(expiry.partition));
      own.set('x-delete-at-device', note.device);
    }
    return own;
  });
}

/**
 * The time of a write. A time from outside is for container sync alone, which proves itself by the container's key:
 * anybody else could shadow later writes or pile up tombstones with it.
 */
export function writeTimestamp(
  core: ProxyCore,
  request: ProxyRequest,
): { timestamp: string; given: boolean } | ServerResponse {
  const given = request.headers.get('x-timestamp');
  const key = request.headers.get('x-container-sync-key');
  const isSync = request.syncKey !== undefined && key !== undefined && secretsEqual(key, request.syncKey);
  if (given !== undefined && isSync) {
    if (parseFloatText(given) === null) {
      return answer(400, request, {
        body: `X-Timestamp should be a UNIX timestamp float value; was '${given}'`,
        contentType: 'text/plain',
      });
    }
    return { timestamp: normalizeTimestamp(given), given: true };
  }
  return { timestamp: core.stamp(), given: false };
}

/** PUT of an object, also as the second half of COPY and POST. */
export async function handleObjectPut(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  const { headers } = request;
  const info = await containerInfo(core, request, account, container, core.options.accountAutocreate);
  request.acl = info?.writeAcl;
  request.syncKey = info?.syncKey;
  const refused = request.authorize?.(request);
  if (refused) return refused;
  if (!info) return answer(404, request);
  const expiry = expiryOf(core, request);
  if (expiry && 'status' in expiry) return expiry;
  const time = writeTimestamp(core, request);
  if ('status' in time) return time;

  // Versioning and container sync want to know what is there now.
  const versions = request.versionedCopy ? undefined : info.versions;
  let present: Awaited<ReturnType<typeof readObject>> | null = null;
  if (time.given || versions) {
    const look = subRequest(request, {
      method: 'HEAD',
      path: request.path,
      headers: new Map([['x-newest', 'true']]),
    });
    present = await readObject(core, look, account, container, object);
    if (
      time.given &&
      present.timestamp !== undefined &&
      Number(present.timestamp) >= Number(time.timestamp)
    ) {
      return answer(202, request);
    }
  }
  let typeGiven = true;
  if (!headers.get('content-type')) {
    headers.set('content-type', core.guessType(object) ?? 'application/octet-stream');
    typeGiven = false;
  }
  const bad = badObjectCreation(request, object);
  if (bad) return bad;
  if (versions && present) {
    const isManifest = headers.has('x-object-manifest') || present.headers.has('x-object-manifest');
    if (present.status !== 404 && !isManifest) {
      const aside = archiving(core, request, { account, container, object }, versions, present);
      if (!aside) return answer(412, request);
      const kept = await handleObjectPut(core, aside.copy, account, aside.container, aside.object);
      dropBody(kept);
      if (kept.status >= 400 && kept.status < 500) return answer(412, request);
      if (kept.status < 200 || kept.status >= 300) return answer(503, request);
    }
  }

  const source: ObjectSource | ServerResponse = headers.get('x-copy-from')
    ? await copySource(core, request, account, object, typeGiven)
    : { body: request.body, length: contentLength(request), headers, copied: new Map() };
  if ('status' in source) return source;
  return storeObject(core, request, { account, container, object }, info, expiry, time.timestamp, source);
}

/** Sends an object to its storage nodes; the answer for the client. */
async function storeObject(
  core: ProxyCore,
  request: ProxyRequest,
  at: { account: string; container: string; object: string },
  info: ContainerInfo,
  expiry: Expiry | null,
  timestamp: string,
  source: ObjectSource,
): Promise<ServerResponse> {
  const { body, length } = source;
  const { account, container, object } = at;
  const place = placeOf(core, 'object', account, container, object);
  const toSend = { ...request, headers: source.headers };
  const perNode = updateHeaders(toSend, info, expiry, [['X-Timestamp', timestamp]]);
  const path = `/${account}/${container}/${object}`;
  let answers: BackendAnswer[] | ServerResponse;
  try {
    answers =
      length !== null && length <= SMALL_BODY
        ? await putSmall(core, request, place, path, perNode, body, length)
        : await putLarge(core, request, place, path, perNode, body, length);
  } catch (error) {
    body.cancel();
    if (error instanceof ClientTimeout) return answer(408, request);
    if (error instanceof BadFraming) return answer(400, request);
    core.log.warn('client went away during an upload', { path, error });
    return answer(499, request);
  }
  if ('status' in answers) {
    body.cancel();
    return answers;
  }
  const etags = new Set(
    answers
      .filter(({ status }) => status >= 200 && status < 300)
      .map(({ headers: own }) => own.get('etag')?.replaceAll('"', '')),
  );
  if (etags.size > 1) {
    core.log.error('storage nodes disagree about an upload', { path, etags: [...etags] });
    return answer(500, request);
  }
  const [etag] = etags;
  const response = bestResponse(answers, 'Object PUT', core, etag);
  for (const [name, value] of source.copied) response.headers.set(name, value);
  response.headers.set('last-modified', httpDate(timestampMs(timestamp)));
  return response;
}

/** COPY: a PUT to the destination from here. */
export async function handleObjectCopy(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  const given = request.headers.get('destination');
  if (!given) return answer(412, request, { body: 'Destination header required' });
  const to = namedObject(given);
  if (!to) {
    return answer(412, request, {
      body: 'Destination header must be of the form <container name>/<object name>',
    });
  }
  request.method = 'PUT';
  request.path = `/v1/${account}${to.path}`;
  request.headers.set('content-length', '0');
  request.headers.set('x-copy-from', quotePath(`/${container}/${object}`));
  request.headers.delete('destination');
  return handleObjectPut(core, request, account, to.container, to.object);
}
