import { readdirSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import { unpickleDict } from '@folsom/pickle';
import type { Ring, RingDevice } from '@folsom/ring';
import { type ConfSection, isMounted, namesIn, type PathHash, writeReconCache } from '@folsom/swift';
import { type InternalClient, internalText, quotePath } from '@folsom/swift-http';
import { httpSync } from './http-sync.ts';
import { quarantine } from './quarantine.ts';
import { RSYNC_UNREACHABLE, type RsyncOptions, rsyncSuffixes } from './rsync.ts';
import {
  type HashingOptions,
  RECLAIM_AGE_SECONDS,
  type SuffixHashes,
  suffixHashes,
} from './suffix-hashes.ts';
import { listSuffixes } from './suffix-listing.ts';
import { replicationKey } from './sync-protocol.ts';

/** Options of `[object-replicator]`. */
export interface ReplicatorOptions {
  devices: string;
  mountCheck: boolean;
  /** The object server's port: which devices of the ring are ours. */
  bindPort: number;
  concurrency: number;
  runPauseMs: number;
  statsIntervalMs: number;
  httpTimeoutMs: number;
  connTimeoutMs: number;
  reclaimAge: number;
  rsync: RsyncOptions;
  /** `auto` takes rsync where the other host serves it, else our own requests. */
  syncMethod: 'auto' | 'rsync' | 'http';
  reconCache: string;
}

export function replicatorOptions(conf: ConfSection): ReplicatorOptions {
  const method = conf.str('sync_method', 'auto');
  return {
    devices: conf.str('devices', '/srv/node'),
    mountCheck: conf.bool('mount_check', true),
    bindPort: conf.int('bind_port', 6000),
    concurrency: Math.max(1, conf.int('concurrency', 1)),
    runPauseMs: conf.int('run_pause', 30) * 1000,
    statsIntervalMs: conf.int('stats_interval', 300) * 1000,
    httpTimeoutMs: conf.int('http_timeout', 60) * 1000,
    connTimeoutMs: conf.float('conn_timeout', 0.5) * 1000,
    reclaimAge: conf.int('reclaim_age', RECLAIM_AGE_SECONDS),
    rsync: {
      timeoutMs: conf.int('rsync_timeout', 900) * 1000,
      ioTimeout: conf.int('rsync_io_timeout', 30),
      vmTestMode: conf.bool('vm_test_mode', false),
    },
    syncMethod: method === 'rsync' || method === 'http' ? method : 'auto',
    reconCache: `${conf.str('recon_cache_path', '/var/cache/swift')}/object.recon`,
  };
}

export interface ReplicatorSettings {
  options: ReplicatorOptions;
  ring: Ring;
  pathHash: PathHash;
  client: InternalClient;
  world: World;
  /** Addresses of this host; by default those of its interfaces. */
  addresses?: readonly string[];
}

export interface ReplicationCounts {
  partitions: number;
  suffixesChecked: number;
  suffixesHashed: number;
  suffixesSynced: number;
  handoffsRemoved: number;
  failures: number;
}

interface Job {
  path: string;
  partition: string;
  /** The other devices of the partition. */
  nodes: readonly RingDevice[];
  /** The partition does not belong on this device. */
  handoff: boolean;
  device: RingDevice;
}

/** Compares every partition of this host's devices with its other replicas, and pushes what they lack. */
export async function replicateObjects(
  settings: ReplicatorSettings,
  signal?: AbortSignal,
): Promise<ReplicationCounts> {
  const { options, world } = settings;
  const log = world.log.child({ service: 'object-replicator' });
  const own = { ...settings, world: { ...world, log } };
  const counts: ReplicationCounts = {
    partitions: 0,
    suffixesChecked: 0,
    suffixesHashed: 0,
    suffixesSynced: 0,
    handoffsRemoved: 0,
    failures: 0,
  };
  const started = world.clock.monotonic();
  const ringDevices = settings.ring.devices;
  const jobs = await collectJobs(own);
  const total = jobs.length;
  log.info('object replication pass begins', { partitions: total });
  /** Hosts found to have no rsync, for this pass. */
  const withoutRsync = new Set<string>();
  const stats = world.clock.every(options.statsIntervalMs, () =>
    log.info('object replication', progress(counts, total, world.clock.monotonic() - started)),
  );
  let aborted = false;
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) {
      signal?.throwIfAborted();
      if (settings.ring.devices !== ringDevices) {
        aborted = true;
        return;
      }
      if (options.mountCheck && !isMounted(options.devices, job.device.device)) {
        log.warn('device not mounted', { device: job.device.device });
        continue;
      }
      try {
        const handler = job.handoff ? pushHandoff : updateReplicas;
        await handler(own, job, counts, withoutRsync);
      } catch (error) {
        counts.failures++;
        log.error('cannot replicate partition', { path: job.path, error });
      }
      counts.partitions++;
    }
  };
  try {
    await Promise.all(Array.from({ length: options.concurrency }, worker));
  } finally {
    stats.cancel();
  }
  if (aborted) log.info('ring changed: this replication pass ends here');
  const ms = world.clock.monotonic() - started;
  log.info('object replication complete', { ...progress(counts, total, ms), ...counts });
  writeReconCache(
    options.reconCache,
    { object_replication_time: ms / 60_000 },
    { log, random: world.random },
  );
  return counts;
}

function progress(counts: ReplicationCounts, total: number, ms: number): Record<string, unknown> {
  const rate = counts.partitions / Math.max(ms / 1000, 1e-6);
  return {
    replicated: counts.partitions,
    total,
    seconds: Math.round(ms / 10) / 100,
    per_second: Math.round(rate * 100) / 100,
    remaining_seconds: rate > 0 ? Math.round((total - counts.partitions) / rate) : null,
  };
}

async function collectJobs({ options, ring, world, addresses }: ReplicatorSettings): Promise<Job[]> {
  const ours = new Set(addresses ?? localAddresses());
  const jobs: Job[] = [];
  for (const device of ring.devices) {
    if (!device || device.port !== options.bindPort || !ours.has(device.ip)) continue;
    if (options.mountCheck && !isMounted(options.devices, device.device)) {
      world.log.warn('device not mounted', { device: device.device });
      continue;
    }
    const root = `${options.devices}/${device.device}`;
    removeOldTemporaries(`${root}/tmp`, world.clock.now() - options.reclaimAge * 1000);
    for (const partition of await namesIn(`${root}/objects`)) {
      if (!/^\d{1,10}$/.test(partition) || Number(partition) >= ring.partitionCount) continue;
      const primaries = ring.nodes(Number(partition));
      const nodes = primaries.filter(node => node.id !== device.id);
      const handoff = nodes.length === primaries.length;
      jobs.push({ path: `${root}/objects/${partition}`, partition, nodes, handoff, device });
    }
  }
  // In another order each time, so that one slow host does not hold up the same partitions; handoffs first.
  for (let i = jobs.length - 1; i > 0; i--) {
    const j = world.random.int(i + 1);
    [jobs[i], jobs[j]] = [must(jobs[j], 'j is in jobs'), must(jobs[i], 'i is in jobs')];
  }
  return jobs.sort((a, b) => Number(b.handoff) - Number(a.handoff));
}

/** Addresses of this host's interfaces. */
const localAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(item => item.address));

function removeOldTemporaries(folder: string, before: number): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const file = statSync(`${folder}/${name}`, { throwIfNoEntry: false });
    if (file?.isFile() && file.mtimeMs < before) ignoreMissing(() => unlinkSync(`${folder}/${name}`));
  }
}

const hashing = ({ options, world }: ReplicatorSettings): HashingOptions => ({
  clock: world.clock,
  log: world.log,
  reclaimAge: options.reclaimAge,
  quarantine: (device, path) => void quarantine(device, `${path}/x`, world.random),
});

/** A partition that lives here: brings the other replicas what they lack. */
async function updateReplicas(
  settings: ReplicatorSettings,
  job: Job,
  counts: ReplicationCounts,
  withoutRsync: Set<string>,
): Promise<void> {
  const { ring, world } = settings;
  // Every tenth time the suffixes are listed, whatever the file says.
  const first = await suffixHashes(job.path, { ...hashing(settings), list: counts.partitions % 10 === 0 });
  counts.suffixesHashed += first.hashed;
  counts.suffixesChecked += Object.keys(first.hashes).length;
  let local = first.hashes;
  const spare = ring.handoffs(Number(job.partition));
  const queue = [...job.nodes];
  for (let node = queue.shift(); node; node = queue.shift()) {
    try {
      const remote = await remoteHashes(settings, node, job.partition, []);
      if (remote === 'unmounted') {
        world.log.error('device not mounted on the other side', { node: nodeName(node) });
        const next = spare.next();
        if (!next.done) queue.push(next.value);
        continue;
      }
      if (different(local, remote).length === 0) continue;
      const again = await suffixHashes(job.path, {
        ...hashing(settings),
        recalculate: different(local, remote),
      });
      counts.suffixesHashed += again.hashed;
      local = again.hashes;
      const suffixes = different(local, remote);
      if (suffixes.length === 0) continue;
      await push(settings, job, suffixes, node, withoutRsync);
      await remoteHashes(settings, node, job.partition, suffixes);
      counts.suffixesSynced += suffixes.length;
    } catch (error) {
      counts.failures++;
      world.log.error('cannot sync with node', { node: nodeName(node), reason: (error as Error).message });
    }
  }
}

const different = (local: SuffixHashes, remote: SuffixHashes): string[] =>
  Object.keys(local).filter(suffix => local[suffix] !== remote[suffix]);

/** A partition that lives elsewhere: brings it to all its devices, then removes what was brought. */
async function pushHandoff(
  settings: ReplicatorSettings,
  job: Job,
  counts: ReplicationCounts,
  withoutRsync: Set<string>,
): Promise<void> {
  const { world } = settings;
  const suffixes = (await namesIn(job.path)).filter(name => /^[0-9a-f]{3}$/.test(name));
  // Only what was there before the push is removed after it: a write may arrive meanwhile.
  const before = await listSuffixes(job.path, suffixes);
  if (suffixes.length > 0) {
    let arrived = 0;
    for (const node of job.nodes) {
      try {
        await push(settings, job, suffixes, node, withoutRsync);
        if ((await remoteHashes(settings, node, job.partition, suffixes)) === 'unmounted') continue;
        arrived++;
      } catch (error) {
        counts.failures++;
        world.log.error('cannot push handoff', { node: nodeName(node), reason: (error as Error).message });
      }
    }
    if (arrived < job.nodes.length) return;
    counts.suffixesSynced += suffixes.length;
  }
  world.log.info('removing partition that lives elsewhere', { path: job.path });
  for (const [hash, names] of Object.entries(before)) {
    const directory = `${job.path}/${hash.slice(-3)}/${hash}`;
    for (const name of names) ignoreMissing(() => unlinkSync(`${directory}/${name}`));
    ignoreMissing(() => rmdirSync(directory));
  }
  for (const suffix of suffixes) ignoreMissing(() => rmdirSync(`${job.path}/${suffix}`));
  const left = await namesIn(job.path);
  if (left.every(name => name === '.lock' || name.startsWith('hashes.pkl'))) {
    for (const name of left) ignoreMissing(() => unlinkSync(`${job.path}/${name}`));
    ignoreMissing(() => rmdirSync(job.path));
  }
  counts.handoffsRemoved++;
}

async function push(
  { options, client, world, pathHash }: ReplicatorSettings,
  job: Job,
  suffixes: readonly string[],
  node: RingDevice,
  withoutRsync: Set<string>,
): Promise<void> {
  if (options.syncMethod !== 'http' && !withoutRsync.has(node.ip)) {
    const code = await rsyncSuffixes(job.path, job.partition, suffixes, node, options.rsync, world.log);
    if (code === 0) return;
    if (options.syncMethod === 'rsync' || !RSYNC_UNREACHABLE.has(code))
      throw new Error(`rsync exit status ${code}`);
    withoutRsync.add(node.ip);
    world.log.info('no rsync there: objects go by HTTP', { node: nodeName(node), code });
  }
  await httpSync(job.path, job.partition, suffixes, node, {
    client,
    connTimeoutMs: options.connTimeoutMs,
    timeoutMs: options.httpTimeoutMs,
    key: replicationKey(pathHash),
    onDamaged: (path, why) => {
      world.log.error('object quarantined', { path, why });
      quarantine(`${options.devices}/${job.device.device}`, path, world.random);
    },
  });
}

async function remoteHashes(
  { options, client }: ReplicatorSettings,
  node: RingDevice,
  partition: string,
  suffixes: readonly string[],
): Promise<SuffixHashes | 'unmounted'> {
  const response = await client.request(node, {
    method: 'REPLICATE',
    path: quotePath(`/${node.device}/${partition}${suffixes.length > 0 ? `/${suffixes.join('-')}` : ''}`),
    headers: [['content-length', '0']],
    connectTimeoutMs: options.connTimeoutMs,
    timeoutMs: options.httpTimeoutMs,
  });
  const bytes = await internalText(response);
  if (response.status === 507) return 'unmounted';
  if (response.status !== 200) throw new Error(`REPLICATE answered ${response.status}`);
  return unpickleDict(bytes) as SuffixHashes;
}

const nodeName = (node: RingDevice): string => `${node.ip}:${node.port}/${node.device}`;

function ignoreMissing(work: () => void): void {
  try {
    work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
