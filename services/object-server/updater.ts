import { mkdirSync, readFileSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import { isDict, type Pickled, PickleError, pickle, unpickleDict } from '@folsom/pickle';
import type { Ring } from '@folsom/ring';
import {
  type ConfSection,
  namesIn,
  type PathHash,
  type SweepOptions,
  sweepOptions,
  writeReconCache,
} from '@folsom/swift';
import { type InternalClient, internalText, utf8FromBytes } from '@folsom/swift-http';
import { updatePath } from './container-updates.ts';
import { localDevices } from './devices.ts';
import { writeDurably } from './durable-file.ts';

/** Options of `[object-updater]`. */
export interface UpdaterOptions extends SweepOptions {
  reconCache: string;
}

export const updaterOptions = (conf: ConfSection): UpdaterOptions => ({
  ...sweepOptions(conf, { concurrency: 1, nodeTimeout: 10 }),
  reconCache: `${conf.str('recon_cache_path', '/var/cache/swift')}/object.recon`,
});

export interface UpdaterSettings {
  options: UpdaterOptions;
  containerRing: Ring;
  pathHash: PathHash;
  client: InternalClient;
  world: World;
}

export interface UpdateCounts {
  successes: number;
  failures: number;
}

/** Tells container servers what could not be told when it happened: one sweep over all devices. */
export async function sweepUpdates(settings: UpdaterSettings, signal?: AbortSignal): Promise<UpdateCounts> {
  const { options, world } = settings;
  const log = world.log.child({ service: 'object-updater' });
  const counts = { successes: 0, failures: 0 };
  const started = world.clock.monotonic();
  log.info('begin object update sweep');
  const devices = localDevices(options.devices, options.mountCheck, log);
  const worker = async () => {
    for (let device = devices.shift(); device; device = devices.shift()) {
      await sweepDevice({ ...settings, world: { ...world, log } }, device, counts, signal);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  const seconds = (world.clock.monotonic() - started) / 1000;
  log.info('object update sweep completed', { seconds: Math.round(seconds * 100) / 100, ...counts });
  let pending = 0;
  for (const device of localDevices(options.devices, options.mountCheck, log))
    pending += await countPending(device);
  writeReconCache(
    options.reconCache,
    { object_updater_sweep: seconds, async_pending: pending },
    { log, random: world.random },
  );
  return counts;
}

/** Updates that wait on all devices below a directory. */
export async function countPendingUpdates(root: string): Promise<number> {
  let count = 0;
  for (const device of await namesIn(root)) count += await countPending(join(root, device));
  return count;
}

/** Updates that still wait on a device. */
async function countPending(device: string): Promise<number> {
  let count = 0;
  for (const prefix of await namesIn(join(device, 'async_pending'))) {
    count += (await namesIn(join(device, 'async_pending', prefix))).length;
  }
  return count;
}

async function sweepDevice(
  settings: UpdaterSettings,
  device: string,
  counts: UpdateCounts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { world, options } = settings;
  const root = join(device, 'async_pending');
  for (const prefix of await namesIn(root)) {
    let last = '';
    // Newest first: of several updates of one object only the last says anything.
    for (const name of (await namesIn(join(root, prefix))).sort().reverse()) {
      signal?.throwIfAborted();
      const path = join(root, prefix, name);
      const form = /^([0-9a-f]{32})-(\d+\.\d{5})$/.exec(name);
      if (!form) {
        world.log.error('pending update with an unexpected name', { path });
        continue;
      }
      if (form[1] === last) unlinkSync(path);
      else await processUpdate(settings, device, path, counts);
      last = must(form[1], 'the pattern has group 1');
      if (options.slowdownMs > 0) await world.clock.sleep(options.slowdownMs, signal);
    }
    try {
      rmdirSync(join(root, prefix));
    } catch {
      // not empty: updates that wait for the next sweep
    }
  }
}

interface PendingUpdate {
  op: string;
  account: string;
  container: string;
  object: string;
  headers: Record<string, string>;
  /** Ids of the container's devices that know already. */
  successes: number[];
  raw: Record<string, Pickled>;
}

async function processUpdate(
  settings: UpdaterSettings,
  device: string,
  path: string,
  counts: UpdateCounts,
): Promise<void> {
  const { world, containerRing, pathHash } = settings;
  let update: PendingUpdate;
  try {
    update = readUpdate(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    if (!(error instanceof PickleError)) throw error;
    world.log.error('unreadable pending update, quarantined', { path, why: error.message });
    const folder = join(device, 'quarantined', 'objects');
    mkdirSync(folder, { recursive: true });
    renameSync(path, join(folder, basename(path)));
    return;
  }
  const partition = containerRing.partition(pathHash.prefix(update.account, update.container));
  let all = true;
  let some = false;
  for (const node of containerRing.nodes(partition)) {
    if (update.successes.includes(node.id)) continue;
    const status = await send(settings, node, partition, update);
    if ((status >= 200 && status < 300) || status === 404) {
      update.successes.push(node.id);
      some = true;
    } else {
      all = false;
    }
  }
  if (all) {
    counts.successes++;
    unlinkSync(path);
    return;
  }
  counts.failures++;
  if (!some) return;
  const bytes = pickle({ ...update.raw, successes: update.successes }, { strings: 'latin1' });
  await writeDurably(device, path, bytes, world.random);
}

function readUpdate(path: string): PendingUpdate {
  const raw = unpickleDict(readFileSync(path), { strings: 'latin1' });
  const text = (key: string): string => {
    const value = raw[key];
    const decoded = typeof value === 'string' ? utf8FromBytes(value) : null;
    if (decoded === null) throw new PickleError(`no ${key}`);
    return decoded;
  };
  if (!isDict(raw.headers)) throw new PickleError('no headers');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw.headers)) headers[name.toLowerCase()] = String(value);
  const op = text('op');
  if (op !== 'PUT' && op !== 'DELETE') throw new PickleError(`no such operation: ${op}`);
  return {
    op,
    account: text('account'),
    container: text('container'),
    object: text('obj'),
    headers,
    successes: Array.isArray(raw.successes) ? raw.successes.map(Number) : [],
    raw,
  };
}

async function send(
  { client, options, world }: UpdaterSettings,
  node: { ip: string; port: number; device: string },
  partition: number,
  update: PendingUpdate,
): Promise<number> {
  try {
    const response = await client.request(node, {
      method: update.op,
      path: updatePath(node.device, partition, update),
      headers: Object.entries(update.headers),
      connectTimeoutMs: options.connTimeoutMs,
      timeoutMs: options.nodeTimeoutMs,
    });
    await internalText(response);
    return response.status;
  } catch (error) {
    world.log.error('no answer from container server', {
      node: `${node.ip}:${node.port}/${node.device}`,
      reason: (error as Error).message,
    });
    return 500;
  }
}
