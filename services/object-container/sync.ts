import { Readable } from 'node:stream';
import {
  ContainerDb,
  type ContainerStat,
  databasesOf,
  type ObjectRow,
  openWhenFree,
  ownAddresses,
  usableDevices,
} from '@folsom/container-db';
import type { Logger, World } from '@folsom/core';
import { anyAddress, type Door, userDoor } from '@folsom/outbound';
import type { Ring } from '@folsom/ring';
import { type ConfSection, type Pass, type PathHash, STORAGE_PORTS, syncToProblem } from '@folsom/swift';
import {
  type BodyStream,
  type InternalClient,
  type InternalResponse,
  internalText,
  quotePath,
} from '@folsom/swift-http';

/** Options of `[container-sync]`; times in milliseconds. */
export interface SyncOptions {
  devices: string;
  mountCheck: boolean;
  bindPort: number;
  /** An HTTP proxy for what goes out. */
  syncProxy: string | null;
  intervalMs: number;
  /** One container's share of a pass. */
  containerTimeMs: number;
  /** The hosts an operator trusts with this cluster's data, each `host` or `host:port`. */
  allowedSyncHosts: readonly string[];
}

export const syncOptions = (conf: ConfSection): SyncOptions => ({
  devices: conf.str('devices', '/srv/node'),
  mountCheck: conf.bool('mount_check', true),
  bindPort: conf.int('bind_port', 6001),
  syncProxy: conf.str('sync_proxy', '') || null,
  intervalMs: conf.int('interval', 300) * 1000,
  containerTimeMs: conf.int('container_time', 60) * 1000,
  allowedSyncHosts: conf.list('allowed_sync_hosts', []),
});

export interface SyncParts {
  options: SyncOptions;
  rings: { container: Ring; object: Ring };
  pathHash: PathHash;
  client: InternalClient;
  world: World;
}

export interface SyncCounts {
  syncs: number;
  puts: number;
  deletes: number;
  skips: number;
  failures: number;
}

const REMOTE_MS = 60_000;
const CONNECT_MS = 5_000;
const KEEP_ALIVE_MS = 4_000;
/** A remote has nothing to say but whether it took the change. */
const ANSWER_BYTES_MAX = 1024 * 1024;

type Work = SyncParts & {
  log: Logger;
  counts: SyncCounts;
  door: Door;
  storagePorts: Set<number>;
};

/**
 * One scan of container sync. Rows after the first sync point are sent by the replica they belong to, one third
 * each; rows between the second point and the first are sent again by the others, in case that one failed.
 */
export function syncPass(parts: SyncParts): Pass & { counts: () => SyncCounts; close: () => Promise<void> } {
  const { options, world } = parts;
  const log = world.log.child({ service: 'swift-container-sync' });
  const door = userDoor({
    addresses: anyAddress,
    hosts: options.allowedSyncHosts.map(host => host.toLowerCase().replace(/[[\]]/g, '')),
    refused: () => storageServers(parts.rings),
    limits: { connectMs: CONNECT_MS, answerMs: REMOTE_MS, idleMs: REMOTE_MS, bytesMax: ANSWER_BYTES_MAX },
    proxy: options.syncProxy,
    keepAliveMs: KEEP_ALIVE_MS,
  });
  let counts: SyncCounts = { syncs: 0, puts: 0, deletes: 0, skips: 0, failures: 0 };
  return {
    name: 'swift-container-sync',
    counts: () => counts,
    close: () => door.close(),
    run: async signal => {
      counts = { syncs: 0, puts: 0, deletes: 0, skips: 0, failures: 0 };
      const own = ownAddresses();
      const storagePorts = new Set([
        ...STORAGE_PORTS,
        options.bindPort,
        ...[...storageServers(parts.rings)].map(({ port }) => port),
      ]);
      const devices = await usableDevices(options.devices, options.mountCheck, log);
      for await (const { path, device } of databasesOf(options.devices, 'container', devices)) {
        if (signal.aborted) return;
        let db: ContainerDb | null = null;
        try {
          db = await openWhenFree(ContainerDb, path, { world: { ...world, log } });
          await syncContainer({ ...parts, log, counts, door, storagePorts }, db, device, own, signal);
        } catch (error) {
          counts.failures++;
          log.error('cannot sync a container', { path, error });
        } finally {
          db?.close();
        }
      }
      log.info('scan completed', { ...counts });
    },
  };
}

function* storageServers(rings: SyncParts['rings']): Generator<{ ip: string; port: number }> {
  for (const ring of Object.values(rings)) {
    for (const device of ring.devices) if (device) yield device;
  }
}

async function syncContainer(
  work: Work,
  db: ContainerDb,
  device: string,
  own: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const { options, rings, pathHash, world, counts, log } = work;
  const stat = db.stat();
  const nodes = rings.container.nodes(
    rings.container.partition(pathHash.prefix(stat.account, stat.container)),
  );
  const ordinal = nodes.findIndex(
    node => own.has(node.ip) && node.port === options.bindPort && node.device === device,
  );
  if (ordinal < 0 || db.isDeleted(stat)) return;
  let to = '';
  let key = '';
  for (const [name, [value]] of Object.entries(db.metadata(stat))) {
    if (name.toLowerCase() === 'x-container-sync-to') to = value.replace(/\/+$/, '');
    if (name.toLowerCase() === 'x-container-sync-key') key = value;
  }
  if (!to || !key) {
    counts.skips++;
    return;
  }
  const problem = syncToProblem(to, options.allowedSyncHosts, work.storagePorts);
  if (problem !== null) {
    counts.failures++;
    log.info('cannot sync a container there', { path: db.path, problem });
    return;
  }
  const until = world.clock.monotonic() + options.containerTimeMs;
  const mine = (row: ObjectRow): boolean =>
    pathHash.prefix(stat.account, stat.container, row.name) % nodes.length === ordinal;
  let { x_container_sync_point1: point1, x_container_sync_point2: point2 } = stat;
  while (world.clock.monotonic() < until && point2 < point1 && !signal.aborted) {
    const row = db.itemsSince(point2, 1)[0];
    if (!row || row.ROWID > point1) break;
    if (!mine(row) && !(await syncRow(work, row, stat, to, key))) return;
    point2 = row.ROWID;
    db.setSyncPoints(null, point2);
  }
  while (world.clock.monotonic() < until && !signal.aborted) {
    const row = db.itemsSince(point1, 1)[0];
    if (!row) break;
    if (mine(row) && !(await syncRow(work, row, stat, to, key))) return;
    point1 = row.ROWID;
    db.setSyncPoints(point1, null);
  }
  counts.syncs++;
}

/** Sends one row's change; false if that failed and is to be tried again. */
async function syncRow(
  work: Work,
  row: ObjectRow,
  stat: ContainerStat,
  to: string,
  key: string,
): Promise<boolean> {
  const { counts, log } = work;
  const url = `${to}/${quotePath(row.name)}`;
  try {
    if (row.deleted) {
      const status = await send(work, 'DELETE', url, {
        'x-timestamp': row.created_at,
        'x-container-sync-key': key,
      });
      if (status >= 300 && status !== 404) throw new Error(`DELETE answered ${status}`);
      counts.deletes++;
      return true;
    }
    const found = await newestCopy(work, row, stat);
    const headers: Record<string, string> = {};
    for (const [name, value] of found.headers) {
      if (['date', 'last-modified', 'connection', 'accept-ranges', 'x-timestamp'].includes(name)) continue;
      headers[name] = name === 'etag' ? value.replaceAll('"', '') : value;
    }
    headers['x-timestamp'] = row.created_at;
    headers['x-container-sync-key'] = key;
    const status = await send(work, 'PUT', url, headers, found.body);
    if (status >= 300) throw new Error(`PUT answered ${status}`);
    counts.puts++;
    return true;
  } catch (error) {
    counts.failures++;
    log.error('cannot sync an object', { account: stat.account, container: stat.container, to, error });
    return false;
  }
}

async function send(
  work: Work,
  method: 'PUT' | 'DELETE',
  url: string,
  headers: Record<string, string>,
  body?: BodyStream,
): Promise<number> {
  const stream = body ? Readable.from(chunksOf(body), { objectMode: false }) : null;
  try {
    const answer = await work.door.request(url, { method, headers, body: stream });
    for await (const _ of answer.body);
    return answer.status;
  } finally {
    body?.cancel();
  }
}

async function* chunksOf(body: BodyStream): AsyncGenerator<Buffer> {
  for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) yield chunk;
}

/** The object from the node that has the newest copy, which must be as new as the row. */
async function newestCopy(work: Work, row: ObjectRow, stat: ContainerStat): Promise<InternalResponse> {
  const { rings, pathHash } = work;
  const partition = rings.object.partition(pathHash.prefix(stat.account, stat.container, row.name));
  let best: { response: InternalResponse; time: number } | null = null;
  let lastStatus = 0;
  for (const node of rings.object.nodes(partition)) {
    let response: InternalResponse;
    try {
      response = await work.client.request(node, {
        method: 'GET',
        path: `/${node.device}/${partition}${quotePath(`/${stat.account}/${stat.container}/${row.name}`)}`,
        headers: [],
        connectTimeoutMs: CONNECT_MS,
        timeoutMs: REMOTE_MS,
      });
    } catch (error) {
      work.log.error('a storage node failed', { node: `${node.ip}:${node.port}/${node.device}`, error });
      lastStatus = 503;
      continue;
    }
    if (response.status !== 200) {
      await internalText(response);
      if (lastStatus === 0 || lastStatus === 404) lastStatus = response.status;
      continue;
    }
    const time = Number(response.headers.get('x-timestamp') ?? 0);
    if (best && best.time >= time) response.body.cancel();
    else {
      best?.response.body.cancel();
      best = { response, time };
    }
  }
  if (best && best.time >= Number(row.created_at)) return best.response;
  best?.response.body.cancel();
  throw new Error(`no storage node has the object yet (${lastStatus || 'older copies only'})`);
}
