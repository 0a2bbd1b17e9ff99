import type { RingDevice } from '@folsom/ring';
import { internalText, quotePath, type ServerResponse } from '@folsom/swift-http';
import { bestResponse, nodePath, noteFailure, requestAll } from './backend-write.ts';
import { LIMIT } from './constraints.ts';
import { type Place, type ProxyCore, placeOf, type ServerKind, usableNodes } from './nodes.ts';
import type { ProxyRequest } from './request.ts';

/** What proxies keep in their shared cache; the original's names. */
interface CachedAccount {
  status: number;
  container_count: number;
}
interface CachedContainer {
  status: number;
  read_acl: string | null;
  write_acl: string | null;
  sync_key: string | null;
  container_size: string | null;
  versions: string | null;
}

export interface AccountInfo extends Place {
  containerCount: number;
}

export interface ContainerInfo extends Place {
  readAcl: string | undefined;
  writeAcl: string | undefined;
  syncKey: string | undefined;
  versions: string | undefined;
}

/** No node could say whether an account or container is there: whoever needs to know is answered 503, and never that it is not. */
export class Unknown extends Error {
  constructor(kind: ServerKind, path: string) {
    super(`no ${kind} server knows whether ${path} is there`);
    this.name = 'Unknown';
  }
}

export const accountKey = (account: string): string => `account/${account}`;
export const containerKey = (account: string, container: string): string =>
  `container/${account}/${container}`;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** 200 with the headers of the first node that has it, 404 if all that answered say so, else -1. */
async function headFirst(
  core: ProxyCore,
  kind: ServerKind,
  place: Place,
  path: string,
  transId: string,
): Promise<{ status: number; headers: Map<string, string> }> {
  let status = 0;
  let left = place.nodes.length;
  for (const node of usableNodes(core, kind, place)) {
    if (left-- <= 0) break;
    const answered = await headNode(core, node, place.partition, path, transId);
    if (answered === null) continue;
    if (answered.status >= 200 && answered.status < 300) return { status: 200, headers: answered.headers };
    if (answered.status === 507) core.errors.limit(node);
    else if (answered.status === 404) status = status === 0 || status === 404 ? 404 : -1;
    else status = -1;
  }
  return { status, headers: new Map() };
}

async function headNode(core: ProxyCore, node: RingDevice, partition: number, path: string, transId: string) {
  try {
    const response = await core.client.request(node, {
      method: 'HEAD',
      path: nodePath(node, partition, quotePath(path)),
      headers: [['X-Trans-Id', transId]],
      connectTimeoutMs: core.options.connTimeout * 1000,
      timeoutMs: core.options.nodeTimeout * 1000,
    });
    await internalText(response);
    return response;
  } catch (error) {
    noteFailure(core, node, 'looking for an account or container', error);
    return null;
  }
}

/**
 * Finds an account, making it if `autocreate`; null if it is not there.
 * @throws Unknown
 */
export async function accountInfo(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  autocreate = false,
): Promise<AccountInfo | null> {
  const place = placeOf(core, 'account', account);
  const key = accountKey(account);
  const cached = await request.cache?.get(key);
  if (isRecord(cached)) {
    if (cached.status === 200) return { ...place, containerCount: Number(cached.container_count) || 0 };
    if (cached.status === 404 && !autocreate) return null;
  }
  let { status, headers } = await headFirst(core, 'account', place, `/${account}`, request.transId);
  if (status === 404 && autocreate) {
    if (Buffer.byteLength(account) > LIMIT.accountName) return null;
    if (await createAccount(core, request, account, place)) throw new Unknown('account', account);
    status = 200;
  }
  const containerCount = Number(headers.get('x-account-container-count') ?? 0);
  if (status === 200 || status === 404) {
    const seconds = core.options.recheckAccountExistence * (status === 200 ? 1 : 0.1);
    await request.cache?.set(
      key,
      { status, container_count: containerCount } satisfies CachedAccount,
      seconds,
    );
  }
  if (status !== 200 && status !== 404) throw new Unknown('account', account);
  return status === 200 ? { ...place, containerCount } : null;
}

/** Makes an account on its nodes; the nodes' answer (and a line in the log) if too few did. */
export async function createAccount(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  place: Place,
): Promise<ServerResponse | null> {
  const headers: [string, string][] = [
    ['X-Timestamp', core.stamp()],
    ['X-Trans-Id', request.transId],
  ];
  const answers = await requestAll(
    core,
    'account',
    place,
    'PUT',
    `/${account}`,
    place.nodes.map(() => headers),
  );
  const response = bestResponse(answers, 'Account PUT', core);
  if (response.status >= 200 && response.status < 300) return null;
  core.log.warn('could not create an account', { account, statuses: answers.map(({ status }) => status) });
  return response;
}

/**
 * Finds a container (and its account); null if it is not there.
 * @throws Unknown
 */
export async function containerInfo(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  autocreate = false,
): Promise<ContainerInfo | null> {
  const place = placeOf(core, 'container', account, container);
  const key = containerKey(account, container);
  const cached = await request.cache?.get(key);
  if (isRecord(cached)) {
    if (cached.status === 200) return infoOf(place, cached as unknown as CachedContainer);
    if (cached.status === 404) return null;
  }
  if (!(await accountInfo(core, request, account, autocreate))) return null;
  const { status, headers } = await headFirst(
    core,
    'container',
    place,
    `/${account}/${container}`,
    request.transId,
  );
  const found: CachedContainer = cachedContainer(status, headers);
  if (status === 200 || status === 404) {
    const seconds = core.options.recheckContainerExistence * (status === 200 ? 1 : 0.1);
    await request.cache?.set(key, found, seconds);
  }
  if (status !== 200 && status !== 404) throw new Unknown('container', `${account}/${container}`);
  return status === 200 ? infoOf(place, found) : null;
}

export const cachedContainer = (status: number, headers: Map<string, string>): CachedContainer => ({
  status,
  read_acl: headers.get('x-container-read') ?? null,
  write_acl: headers.get('x-container-write') ?? null,
  sync_key: headers.get('x-container-sync-key') ?? null,
  container_size: headers.get('x-container-object-count') ?? null,
  versions: headers.get('x-versions-location') ?? null,
});

const infoOf = (place: Place, cached: CachedContainer): ContainerInfo => ({
  ...place,
  readAcl: cached.read_acl ?? undefined,
  writeAcl: cached.write_acl ?? undefined,
  syncKey: cached.sync_key ?? undefined,
  versions: cached.versions ?? undefined,
});
