import type { RingDevice } from '@folsom/ring';
import { answer, quotePath, type ServerResponse } from '@folsom/swift-http';
import { transferHeaders } from './account.ts';
import { readFrom, readingFor } from './backend-read.ts';
import { bestResponse, requestAll } from './backend-write.ts';
import { badMetadata, LIMIT } from './constraints.ts';
import { type AccountInfo, accountInfo, cachedContainer, containerKey } from './info.ts';
import { AclError } from './middleware/acl.ts';
import { type ProxyCore, placeOf, shuffled } from './nodes.ts';
import type { ProxyRequest } from './request.ts';

const PASSED = [
  'x-container-read',
  'x-container-write',
  'x-container-sync-key',
  'x-container-sync-to',
  'x-versions-location',
] as const;

/** Only the owner of an account sees these. */
const OWNER_ONLY = ['x-container-read', 'x-container-write', 'x-container-sync-key', 'x-container-sync-to'];

/** Tidies the access lists of a request; the answer if one makes no sense. */
function cleanAcls(request: ProxyRequest): ServerResponse | null {
  if (!request.cleanAcl) return null;
  for (const name of ['x-container-read', 'x-container-write']) {
    const value = request.headers.get(name);
    if (value === undefined) continue;
    try {
      request.headers.set(name, request.cleanAcl(name, value));
    } catch (error) {
      if (!(error instanceof AclError)) throw error;
      return answer(400, request, { body: Buffer.from(error.message, 'latin1') });
    }
  }
  return null;
}

/** GET and HEAD. */
async function readContainer(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
): Promise<ServerResponse> {
  const path = `/${account}/${container}`;
  const place = placeOf(core, 'container', account, container);
  const key = containerKey(account, container);
  if (!(await accountInfo(core, request, account))) return answer(404, request);
  const response = await readFrom(
    core,
    readingFor(request, {
      kind: 'container',
      place,
      nodes: shuffled(place.nodes, core.world),
      path: quotePath(path),
      query: request.query,
    }),
  );
  if (response.status < 300 || response.status === 404) {
    const seconds = core.options.recheckContainerExistence * (response.status === 404 ? 0.1 : 1);
    const known = cachedContainer(response.status === 404 ? 404 : 200, response.headers);
    await request.cache?.set(key, known, seconds);
  }
  if (request.authorize) {
    request.acl = response.headers.get('x-container-read');
    const refused = request.authorize(request);
    if (refused) {
      if (response.body && !Buffer.isBuffer(response.body)) response.body.cancel();
      return refused;
    }
  }
  if (!request.swiftOwner) for (const name of OWNER_ONLY) response.headers.delete(name);
  return response;
}

/** Requests for a container. */
export async function handleContainer(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
): Promise<ServerResponse> {
  const path = `/${account}/${container}`;
  const place = placeOf(core, 'container', account, container);
  const key = containerKey(account, container);

  /** Headers for one container node; `told` is the account node that one is to inform. */
  const nodeHeaders = (told: RingDevice | null, info: AccountInfo | null): Map<string, string> => {
    const out = new Map([
      ['X-Timestamp', core.stamp()],
      ['X-Trans-Id', request.transId],
    ]);
    if (told && info) {
      out.set('X-Account-Host', `${told.ip}:${told.port}`);
      out.set('X-Account-Partition', String(info.partition));
      out.set('X-Account-Device', told.device);
    }
    return out;
  };

  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return readContainer(core, request, account, container);
    case 'PUT':
    case 'POST': {
      const refused = cleanAcls(request) ?? badMetadata(request, 'container');
      if (refused) return refused;
      if (request.method === 'PUT') {
        const length = Buffer.byteLength(container);
        if (length > LIMIT.containerName) {
          return answer(400, request, {
            body: `Container name length of ${length} longer than ${LIMIT.containerName}`,
          });
        }
      }
      const info = await accountInfo(core, request, account, core.options.accountAutocreate);
      if (request.method === 'PUT' && info && core.options.maxContainersPerAccount > 0) {
        const full = info.containerCount >= core.options.maxContainersPerAccount;
        if (full && !core.options.maxContainersWhitelist.includes(account)) {
          return answer(403, request, {
            body: `Reached container limit of ${core.options.maxContainersPerAccount}`,
          });
        }
      }
      if (!info) return answer(404, request);
      const own = transferHeaders(request, 'container', PASSED);
      const headers =
        request.method === 'PUT'
          ? info.nodes.map(node => new Map([...nodeHeaders(node, info), ...own]))
          : place.nodes.map(() => new Map([...nodeHeaders(null, null), ...own]));
      await request.cache?.delete(key);
      const answers = await requestAll(core, 'container', place, request.method, path, headers);
      return bestResponse(answers, `Container ${request.method}`, core);
    }
    case 'DELETE': {
      const info = await accountInfo(core, request, account);
      if (!info) return answer(404, request);
      const headers = info.nodes.map(node => nodeHeaders(node, info));
      await request.cache?.delete(key);
      const answers = await requestAll(core, 'container', place, 'DELETE', path, headers);
      const response = bestResponse(answers, 'Container DELETE', core);
      // 202 says that no node had it.
      return response.status === 202 ? answer(404, request) : response;
    }
    default:
      return answer(405, request);
  }
}
