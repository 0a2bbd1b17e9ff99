import type { RingDevice } from '@folsom/ring';
import { normalizeTimestamp, parseFloatText, timestampMs, timestampOf } from '@folsom/swift';
import {
  answer,
  BadFraming,
  type BodyStream,
  bodyOf,
  ClientTimeout,
  dropBody,
  EMPTY_BODY,
  httpDate,
  internalText,
  type OpenRequest,
  parseHttpDate,
  quotePath,
  type ServerResponse,
  unquoteBytes,
  utf8FromBytes,
} from '@folsom/swift-http';
import {
  type BackendAnswer,
  bestResponse,
  forwardHeaders,
  nodePath,
  noteFailure,
  requestAll,
  UNAVAILABLE,
} from './backend-write.ts';
import { badObjectCreation, contentLength, LIMIT } from './constraints.ts';
import { type ContainerInfo, containerInfo } from './info.ts';
import { type Place, type ProxyCore, placeOf, usableNodes } from './nodes.ts';
import { handleObjectRead, readObject } from './object-read.ts';
import { isTrue, type ProxyRequest, subRequest } from './request.ts';

/** Bodies up to this size are read before a storage node is asked: one exchange with each instead of two. */
const SMALL_BODY = 64 * 1024;

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
  const isSync =
    request.syncKey !== undefined && request.headers.get('x-container-sync-key') === request.syncKey;
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
      const kept = await keepVersion(core, request, account, container, object, versions, present);
      if (kept) return kept;
    }
  }

  let body: BodyStream & { length?: number | null } = request.body;
  let length = contentLength(request);
  let outgoing = headers;
  let source: ServerResponse | null = null;
  let sourceName = '';
  const copyFrom = headers.get('x-copy-from');
  if (copyFrom !== undefined) {
    const plain = utf8FromBytes(unquoteBytes(copyFrom)) ?? '';
    sourceName = plain.startsWith('/') ? plain : `/${plain}`;
    const slash = sourceName.indexOf('/', 1);
    if (slash < 0) {
      return answer(412, request, {
        body: 'X-Copy-From header must be of the form<container name>/<object name>',
      });
    }
    const from = { container: sourceName.slice(1, slash), object: sourceName.slice(slash + 1) };
    const read = subRequest(request, {
      method: 'GET',
      path: `/v1/${account}${sourceName}`,
      headers: new Map(
        [...headers].filter(
          ([name]) => !/^(content-|x-object-|x-copy-from|transfer-encoding|range|if-)/.test(name),
        ),
      ),
    });
    read.headers.set('x-newest', 'true');
    source = await handleObjectRead(core, read, account, from.container, from.object);
    if (source.status >= 300) return source;
    const sourceLength = source.headers.get('content-length');
    if (sourceLength === undefined) {
      dropBody(source);
      return answer(413, request);
    }
    length = Number(sourceLength);
    if (length > LIMIT.fileSize) {
      dropBody(source);
      return answer(413, request, { body: 'Your request is too large.', contentType: 'text/plain' });
    }
    body =
      source.body === null ? EMPTY_BODY : Buffer.isBuffer(source.body) ? bodyOf(source.body) : source.body;
    outgoing = new Map(headers);
    for (const name of ['x-copy-from', 'destination', 'transfer-encoding', 'range']) outgoing.delete(name);
    const etag = source.headers.get('etag');
    // A manifest's tag is not the digest of its bytes.
    if (etag !== undefined && !etag.startsWith('"') && !outgoing.has('etag')) outgoing.set('etag', etag);
    if (!typeGiven)
      outgoing.set('content-type', source.headers.get('content-type') ?? 'application/octet-stream');
    if (!isTrue(headers.get('x-fresh-metadata'))) {
      for (const [name, value] of source.headers) {
        if (name.startsWith('x-object-meta-') && !headers.has(name)) outgoing.set(name, value);
      }
    }
    // The limits hold for what the copy will have, not only for what was sent.
    const tooMuch = badObjectCreation(
      { ...request, headers: new Map([...outgoing, ['content-length', '0']]) },
      object,
    );
    if (tooMuch) {
      dropBody(source);
      return tooMuch;
    }
  }

  const place = placeOf(core, 'object', account, container, object);
  const toSend = { ...request, headers: outgoing };
  const perNode = updateHeaders(toSend, info, expiry, [['X-Timestamp', time.timestamp]]);
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
  if (source) {
    response.headers.set('x-copied-from', quotePath(sourceName.slice(1)));
    const modified = source.headers.get('last-modified');
    if (modified !== undefined) response.headers.set('x-copied-from-last-modified', modified);
    for (const [name, value] of outgoing)
      if (name.startsWith('x-object-meta-')) response.headers.set(name, value);
  }
  response.headers.set('last-modified', httpDate(timestampMs(time.timestamp)));
  return response;
}

/** A body that is here in full goes to all nodes at once; nodes that fail are replaced by handoffs. */
async function putSmall(
  core: ProxyCore,
  request: ProxyRequest,
  place: Place,
  path: string,
  headers: readonly Map<string, string>[],
  body: BodyStream,
  length: number,
): Promise<BackendAnswer[] | ServerResponse> {
  const parts: Buffer[] = [];
  let size = 0;
  for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) {
    parts.push(chunk);
    size += chunk.length;
  }
  if (size !== length) return answer(499, request);
  const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
  return requestAll(core, 'object', place, 'PUT', path, headers, bytes);
}

interface Upload {
  node: RingDevice;
  open: OpenRequest;
  failed: boolean;
}

/** Streams a body to all nodes, as long as more than half of them go along. */
async function putLarge(
  core: ProxyCore,
  request: ProxyRequest,
  place: Place,
  path: string,
  headers: readonly Map<string, string>[],
  body: BodyStream,
  length: number | null,
): Promise<BackendAnswer[] | ServerResponse> {
  const nodes = usableNodes(core, 'object', place);
  const quoted = quotePath(path);
  const framing: [string, string] =
    length === null ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
  const connect = async (own: Map<string, string>): Promise<Upload | null> => {
    for (let next = nodes.next(); !next.done; next = nodes.next()) {
      const node = next.value;
      try {
        const open = await core.client.open(node, {
          method: 'PUT',
          path: nodePath(node, place.partition, quoted),
          headers: [...own, framing],
          connectTimeoutMs: core.options.connTimeout * 1000,
          timeoutMs: core.options.nodeTimeout * 1000,
        });
        if (!open.early) return { node, open, failed: false };
        if (open.early.status === 507) core.errors.limit(node);
        open.abort();
      } catch (error) {
        noteFailure(core, node, 'PUT object', error);
      }
    }
    return null;
  };
  const uploads = (await Promise.all(headers.map(connect))).filter(upload => upload !== null);
  const enough = (): boolean => uploads.filter(({ failed }) => !failed).length * 2 > place.nodes.length;
  const abort = (): void => {
    for (const { open } of uploads) open.abort();
  };
  if (!enough()) {
    abort();
    core.log.error('too few storage nodes take an upload', {
      path,
      connections: uploads.length,
      nodes: place.nodes.length,
    });
    return answer(503, request);
  }
  const alive = uploads;
  let sent = 0;
  try {
    for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) {
      sent += chunk.length;
      if (sent > LIMIT.fileSize) {
        abort();
        return answer(413, request);
      }
      const bytes = chunk;
      await Promise.all(
        alive.map(async upload => {
          if (upload.failed) return;
          try {
            await upload.open.write(bytes);
          } catch (error) {
            upload.failed = true;
            noteFailure(core, upload.node, 'sending an upload', error);
          }
        }),
      );
      if (!enough()) {
        abort();
        return answer(503, request);
      }
    }
  } catch (error) {
    abort();
    throw error;
  }
  if (length !== null && sent < length) {
    abort();
    return answer(499, request);
  }
  const answers = await Promise.all(
    alive
      .filter(({ failed }) => !failed)
      .map(async ({ node, open }): Promise<BackendAnswer | null> => {
        try {
          // The node syncs what it got to its disk before it answers.
          const response = await open.finish(Math.max(60, core.options.nodeTimeout) * 1000);
          const text = await internalText(response);
          if (response.status >= 500) core.errors.count(node);
          return { status: response.status, reason: response.reason, headers: response.headers, body: text };
        } catch (error) {
          noteFailure(core, node, 'ending an upload', error);
          return null;
        }
      }),
  );
  const given = answers.filter(one => one !== null);
  while (given.length < place.nodes.length) given.push(UNAVAILABLE);
  return given;
}

/** The container that older versions go to. */
export const archiveOf = (versions: string): string =>
  utf8FromBytes(unquoteBytes(versions.split('/')[0]!)) ?? '';

/** Beginning of the names of an object's versions: its length in three hexadecimal digits, and itself. */
export const versionPrefix = (object: string): string =>
  `${Buffer.byteLength(object).toString(16).padStart(3, '0')}${object}/`;

/** Copies what is there now to the archive; an answer if that fails. */
async function keepVersion(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
  versions: string,
  present: { timestamp?: string; headers: Map<string, string>; status: number },
): Promise<ServerResponse | null> {
  const timestamp =
    present.timestamp ??
    timestampOf(parseHttpDate(present.headers.get('last-modified') ?? '') ?? core.world.clock.now());
  const copy = subRequest(request, {
    method: 'PUT',
    path: `/v1/${account}/${archiveOf(versions)}/${versionPrefix(object)}${normalizeTimestamp(timestamp)}`,
    headers: new Map([
      ['x-copy-from', quotePath(`/${container}/${object}`)],
      ['content-length', '0'],
    ]),
    authorize: null,
    versionedCopy: true,
  });
  const response = await handleObjectPut(
    core,
    copy,
    account,
    archiveOf(versions),
    `${versionPrefix(object)}${normalizeTimestamp(timestamp)}`,
  );
  dropBody(response);
  if (response.status >= 400 && response.status < 500) return answer(412, request);
  return response.status >= 200 && response.status < 300 ? null : answer(503, request);
}

/** COPY: a PUT to the destination from here. */
export function handleObjectCopy(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  const given = request.headers.get('destination');
  if (!given) return Promise.resolve(answer(412, request, { body: 'Destination header required' }));
  const plain = utf8FromBytes(unquoteBytes(given)) ?? '';
  const destination = plain.startsWith('/') ? plain : `/${plain}`;
  const slash = destination.indexOf('/', 1);
  if (slash < 0) {
    return Promise.resolve(
      answer(412, request, { body: 'Destination header must be of the form <container name>/<object name>' }),
    );
  }
  request.method = 'PUT';
  request.path = `/v1/${account}${destination}`;
  request.headers.set('content-length', '0');
  request.headers.set('x-copy-from', quotePath(`/${container}/${object}`));
  request.headers.delete('destination');
  return handleObjectPut(core, request, account, destination.slice(1, slash), destination.slice(slash + 1));
}
