import { existsSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Logger, World } from '@folsom/core';
import { must } from '@folsom/core';
import { run } from '@folsom/host/run';
import type { Ring, RingDevice } from '@folsom/ring';
import { type ConfSection, isMounted, namesIn, type Pass, timestampOf, writeReconCache } from '@folsom/swift';
import { type InternalClient, internalText } from '@folsom/swift-http';
import type { AccountStat } from './account.ts';
import type { ContainerStat } from './container.ts';
import { removeDb } from './create.ts';
import type { AnyDb, DbFileOptions, ReplicationInfo } from './database.ts';
import { openWhenFree } from './open-when-free.ts';
import { DbQuarantined } from './quarantine.ts';
import type { DbKindName } from './schema.ts';
import { type DbLocation, databasesOf, eachOf, ownAddresses } from './walk.ts';

/** Options of `[account-replicator]` and `[container-replicator]`; times in milliseconds. */
export interface DbReplicatorOptions {
  devices: string;
  mountCheck: boolean;
  bindPort: number;
  perDiff: number;
  maxDiffs: number;
  concurrency: number;
  intervalMs: number;
  nodeTimeoutMs: number;
  connTimeoutMs: number;
  /** Seconds. */
  reclaimAge: number;
  vmTestMode: boolean;
  /** `auto` copies whole databases by rsync where the other host serves it, else row by row. */
  syncMethod: 'auto' | 'rsync' | 'http';
  reconCachePath: string;
}

export function dbReplicatorOptions(conf: ConfSection, defaultPort: number): DbReplicatorOptions {
  const method = conf.str('sync_method', 'auto');
  return {
    devices: conf.str('devices', '/srv/node'),
    mountCheck: conf.bool('mount_check', true),
    bindPort: conf.int('bind_port', defaultPort),
    perDiff: Math.max(1, conf.int('per_diff', 1000)),
    maxDiffs: conf.int('max_diffs', 100),
    concurrency: Math.max(1, conf.int('concurrency', 8)),
    intervalMs: conf.int('interval', conf.int('run_pause', 30)) * 1000,
    nodeTimeoutMs: conf.float('node_timeout', 10) * 1000,
    connTimeoutMs: conf.float('conn_timeout', 0.5) * 1000,
    reclaimAge: conf.float('reclaim_age', 86_400 * 7),
    vmTestMode: conf.bool('vm_test_mode', false),
    syncMethod: method === 'rsync' || method === 'http' ? method : 'auto',
    reconCachePath: conf.str('recon_cache_path', '/var/cache/swift'),
  };
}

export interface DbReplicatorParts {
  kind: DbKindName;
  Kind: new (path: string, options: DbFileOptions) => AnyDb;
  ring: Ring;
  client: InternalClient;
  world: World;
  options: DbReplicatorOptions;
}

interface Stats {
  attempted: number;
  success: number;
  failure: number;
  ts_repl: number;
  no_change: number;
  hashmatch: number;
  rsync: number;
  diff: number;
  remove: number;
  empty: number;
  remote_merge: number;
  diff_capped: number;
  start: number;
}

/** The original's names for statsd. */
export const replicationMetrics = (stats: Stats): Record<string, number> => ({
  attempts: stats.attempted,
  successes: stats.success,
  failures: stats.failure,
  no_changes: stats.no_change,
  hashmatches: stats.hashmatch,
  rsyncs: stats.rsync,
  diffs: stats.diff,
  diff_caps: stats.diff_capped,
  remote_merges: stats.remote_merge,
  removes: stats.remove,
});

const SUFFICIENT = 0.5;

/** One pass of a database replicator: every local database is brought to its other places. */
export function dbReplicationPass(parts: DbReplicatorParts): Pass & { stats: () => Stats } {
  const { kind, ring, world, options } = parts;
  const name = `swift-${kind}-replicator`;
  const log = world.log.child({ service: name });
  let stats: Stats = freshStats(0);
  return {
    name,
    stats: () => stats,
    run: async signal => {
      const started = world.clock.now() / 1000;
      stats = freshStats(started);
      const own = ownAddresses();
      const devices: RingDevice[] = [];
      for (const device of ring.devices) {
        if (!device || !own.has(device.ip) || device.port !== options.bindPort) continue;
        if (options.mountCheck && !isMounted(options.devices, device.device)) {
          log.warn('skipping a device that is not mounted', { device: device.device });
          continue;
        }
        await dropOldCopies(
          join(options.devices, device.device, 'tmp'),
          (started - options.reclaimAge) * 1000,
        );
        devices.push(device);
      }
      log.info('beginning replication run', { devices: devices.map(({ device }) => device) });
      await eachOf(devices, devices.length || 1, signal, device =>
        eachOf(
          databasesOf(options.devices, kind, [device.device]),
          Math.max(1, Math.floor(options.concurrency / devices.length)),
          signal,
          at => replicateOne({ ...parts, log, stats }, at, device.id),
        ),
      );
      const seconds = world.clock.now() / 1000 - started;
      log.info('replication run over', { ...stats, seconds });
      writeReconCache(
        join(options.reconCachePath, `${kind}.recon`),
        { replication_stats: stats, replication_time: seconds },
        { log, random: world.random },
      );
    },
  };
}

const freshStats = (start: number): Stats => ({
  attempted: 0,
  success: 0,
  failure: 0,
  ts_repl: 0,
  no_change: 0,
  hashmatch: 0,
  rsync: 0,
  diff: 0,
  remove: 0,
  empty: 0,
  remote_merge: 0,
  diff_capped: 0,
  start,
});

async function dropOldCopies(directory: string, beforeMs: number): Promise<void> {
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    const at = statSync(path, { throwIfNoEntry: false });
    if (at && at.mtimeMs < beforeMs) rmSync(path, { recursive: true, force: true });
  }
}

type Work = DbReplicatorParts & { log: Logger; stats: Stats };

async function replicateOne(work: Work, at: DbLocation, deviceId: number): Promise<void> {
  const { world, options, stats, log, kind } = work;
  stats.attempted++;
  let db: AnyDb;
  try {
    db = await openWhenFree(work.Kind, at.path, { world: { ...world, log } });
  } catch (error) {
    stats.failure++;
    log.error('cannot open a database', { path: at.path, error });
    return;
  }
  try {
    const now = world.clock.now() / 1000;
    db.reclaim(
      timestampOf((now - options.reclaimAge) * 1000),
      String(Math.floor(now - options.reclaimAge * 2)),
    );
    const info = db.replicationInfo();
    const deleted = Number(info.delete_timestamp) || 0;
    if (
      deleted < now - options.reclaimAge &&
      deleted > (Number(info.put_timestamp) || 0) &&
      !Number(info.count)
    ) {
      if (kind === 'account' || isReported(db.stat() as ContainerStat)) {
        removeDb(at.path);
        stats.remove++;
      }
      return;
    }
    const partition = Number(at.partition);
    const nodes = work.ring.nodes(partition);
    const index = nodes.findIndex(({ id }) => id === deviceId);
    // Each replica begins with the one after it, so that two never wait for each other while a third goes without.
    const targets = index < 0 ? [...nodes] : [...nodes.slice(index + 1), ...nodes.slice(0, index)];
    const handoffs = work.ring.handoffs(partition);
    let allWell = true;
    for (let i = 0; i < targets.length; i++) {
      const node = must(targets[i], 'i is in targets');
      let well = false;
      try {
        const outcome = await replicateTo(work, db, node, partition, info);
        well = outcome === 'done';
        if (outcome === 'unmounted') {
          log.error('a remote device is not mounted', { node: `${node.ip}:${node.port}/${node.device}` });
          const next = handoffs.next();
          if (!next.done) targets.push(next.value);
        }
      } catch (error) {
        log.error('cannot replicate a database', {
          path: at.path,
          node: `${node.ip}:${node.port}/${node.device}`,
          error,
        });
      }
      stats[well ? 'success' : 'failure']++;
      allWell &&= well;
    }
    if (index < 0 && allWell) {
      removeDb(at.path);
      stats.remove++;
    }
  } catch (error) {
    stats.failure++;
    if (!(error instanceof DbQuarantined)) log.error('cannot read a database', { path: at.path, error });
  } finally {
    db.close();
  }
}

export const isReported = (stat: ContainerStat): boolean =>
  stat.put_timestamp === stat.reported_put_timestamp &&
  stat.delete_timestamp === stat.reported_delete_timestamp &&
  stat.object_count === stat.reported_object_count &&
  stat.bytes_used === stat.reported_bytes_used;

type Outcome = 'done' | 'failed' | 'unmounted';

async function replicateTo(
  work: Work,
  db: AnyDb,
  node: RingDevice,
  partition: number,
  info: ReplicationInfo,
): Promise<Outcome> {
  const { options, stats } = work;
  const hash = basename(db.path, '.db');
  const ask = async (...args: unknown[]) => {
    const response = await work.client.request(node, {
      method: 'REPLICATE',
      path: `/${node.device}/${partition}/${hash}`,
      headers: [['Content-Type', 'application/json']],
      body: Buffer.from(JSON.stringify(args)),
      connectTimeoutMs: options.connTimeoutMs,
      timeoutMs: options.nodeTimeoutMs,
    });
    return { status: response.status, body: await internalText(response) };
  };
  const sync = () =>
    ask(
      'sync',
      info.max_row,
      info.hash,
      info.id,
      info.created_at,
      info.put_timestamp,
      info.delete_timestamp,
      info.metadata,
    );
  let answered = await sync();
  if (answered.status === 507) return 'unmounted';
  if (answered.status === 404) {
    stats.rsync++;
    if (options.syncMethod !== 'http' && (await copyWhole(work, db, node, info.id))) {
      return ok(await ask('complete_rsync', info.id)) ? 'done' : 'failed';
    }
    if (options.syncMethod === 'rsync') return 'failed';
    const { account, container } = db.stat() as AccountStat & ContainerStat;
    if (!ok(await ask('create', account, container ?? null, info.put_timestamp))) return 'failed';
    answered = await sync();
  }
  if (!ok(answered)) return 'failed';
  const remote = JSON.parse(answered.body.toString('utf8')) as ReplicationInfo & { point: number };
  const known = db.syncPoint(remote.id, 'outgoing');
  if (Math.max(remote.point, known) >= info.max_row) {
    stats.no_change++;
    return 'done';
  }
  if (remote.hash === info.hash) {
    stats.hashmatch++;
    db.mergeSyncPoints([{ remote_id: remote.id, sync_point: remote.point }], 'outgoing');
    return 'done';
  }
  if (remote.max_row / info.max_row < SUFFICIENT && options.syncMethod !== 'http') {
    stats.remote_merge++;
    if (await copyWhole(work, db, node, info.id)) {
      return ok(await ask('rsync_then_merge', info.id)) ? 'done' : 'failed';
    }
    if (options.syncMethod === 'rsync') return 'failed';
  }
  stats.diff++;
  let point = Math.max(remote.point, known);
  const points = db.syncPoints('incoming');
  let rows = db.itemsSince(point, options.perDiff);
  for (let diffs = 0; rows.length && diffs < options.maxDiffs; diffs++) {
    if (!ok(await ask('merge_items', rows, info.id))) return 'failed';
    point = (rows[rows.length - 1] as { ROWID: number }).ROWID;
    rows = db.itemsSince(point, options.perDiff);
  }
  if (rows.length) {
    stats.diff_capped++;
    return 'failed';
  }
  if (!ok(await ask('merge_syncs', points))) return 'failed';
  db.mergeSyncPoints([{ remote_id: remote.id, sync_point: point }], 'outgoing');
  return 'done';
}

const ok = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

/** Copies the file into the remote device's `tmp` by rsync; false where that cannot be done. */
async function copyWhole(work: Work, db: AnyDb, node: RingDevice, id: string): Promise<boolean> {
  const { options, kind, log } = work;
  const host = node.ip.includes(':') ? `[${node.ip}]` : node.ip;
  const module = `${host}::${kind}${options.vmTestMode ? node.port : ''}`;
  const copy = async (whole: boolean): Promise<boolean> => {
    const argv = [
      'rsync',
      '--quiet',
      '--no-motd',
      `--timeout=${Math.ceil(options.nodeTimeoutMs / 1000)}`,
      `--contimeout=${Math.ceil(options.connTimeoutMs / 1000)}`,
      ...(whole ? ['--whole-file'] : []),
      db.path,
      `${module}/${node.device}/tmp/${id}`,
    ];
    try {
      const { code } = await run(argv, { timeoutMs: 600_000, allowedCodes: 'any' });
      return code === 0;
    } catch (error) {
      log.debug('no rsync', { error });
      return false;
    }
  };
  const before = statSync(db.path).mtimeMs;
  if (!(await copy(true))) return false;
  if (existsSync(`${db.path}-journal`) || statSync(db.path).mtimeMs > before)
    return db.whileLocked(() => copy(false));
  return true;
}
