import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningService, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type RingData, ringOf } from '@folsom/ring';
import { confSection, pathHash, timestampOf } from '@folsom/swift';
import { createInternalClient, type InternalClient } from '@folsom/swift-http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dbAuditPass } from './auditor.ts';
import { ContainerDb, type ObjectRow } from './container.ts';
import { createDbFile } from './create.ts';
import { replicateOperation } from './replicate-operation.ts';
import { dbReplicationPass, dbReplicatorOptions } from './replicator.ts';
import { startDbServer } from './server.ts';

const world = { clock: systemClock, random: seededRandom(4), log: silentLogger };
const hashes = pathHash('test');
const HASH = hashes.hex('a', 'c');
const signal = new AbortController().signal;
let root: string;
let server: RunningService;
let client: InternalClient;
let port: number;
const open: ContainerDb[] = [];

const pathOn = (device: string): string =>
  join(root, device, 'containers', '0', HASH.slice(-3), HASH, `${HASH}.db`);

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'folsom-repl-'));
  client = createInternalClient(world);
  server = await startDbServer(
    {
      kind: 'container',
      program: 'swift-container-server',
      Kind: ContainerDb,
      operations: [replicateOperation()],
      context: null,
    },
    {
      root,
      mountCheck: false,
      autoCreateAccountPrefix: '.',
      preallocate: false,
      pathHash: hashes,
      world,
      host: '127.0.0.1',
      port: 0,
    },
  );
  port = Number(server.addresses[0]!.split(':')[1]);
});
afterEach(async () => {
  for (const db of open.splice(0)) db.close();
  await server.stop();
  client.close();
  rmSync(root, { recursive: true, force: true });
});

/** A moment lately: what was deleted long ago would be dropped instead of replicated. */
const lately = (second: number): string => timestampOf(world.clock.now() - 60_000 + second * 1000);

const row = (name: string, created: string, deleted = 0): ObjectRow => ({
  name,
  created_at: created,
  size: deleted ? 0 : 1,
  content_type: 'text/plain',
  etag: 'e',
  deleted,
});

function make(device: string): ContainerDb {
  createDbFile(pathOn(device), 'container', { account: 'a', container: 'c' }, '0000000001.00000', world);
  return at(device);
}

function at(device: string): ContainerDb {
  const db = new ContainerDb(pathOn(device), { world });
  open.push(db);
  return db;
}

/** A ring of three devices of which the partition is on the given ones. */
function pass(devices: string[], placed: number[], options: Record<string, string> = {}) {
  const data: RingData = {
    devices: devices.map((device, id) => ({
      id,
      zone: id,
      ip: '127.0.0.1',
      port,
      device,
      weight: 1,
      meta: '',
    })),
    partShift: 32,
    rows: placed.map(id => Uint16Array.of(id)),
  };
  return dbReplicationPass({
    kind: 'container',
    Kind: ContainerDb,
    ring: ringOf(data),
    client,
    world,
    options: dbReplicatorOptions(
      confSection({
        devices: root,
        mount_check: 'false',
        bind_port: String(port),
        recon_cache_path: join(root, 'recon'),
        sync_method: 'http',
        ...options,
      }),
      6001,
    ),
  });
}

it('makes replicas where there are none, with rows, times and metadata', async () => {
  const db = make('d0');
  await db.put([row('x', '0000000002.00000'), row('y', '0000000003.00000')]);
  db.updateMetadata({ 'X-Container-Meta-A': ['1', '0000000002.00000'] });
  const work = pass(['d0', 'd1', 'd2'], [0, 1, 2]);
  await work.run(signal);
  for (const device of ['d1', 'd2']) {
    const copy = at(device);
    expect(copy.stat()).toMatchObject({
      account: 'a',
      container: 'c',
      object_count: 2,
      hash: db.stat().hash,
    });
    expect(copy.stat().id).not.toBe(db.stat().id);
    expect(copy.metadata()).toEqual(db.metadata());
    expect(copy.stat().created_at).toBe(db.stat().created_at);
  }
  await work.run(signal);
  expect(work.stats()).toMatchObject({ rsync: 0, failure: 0 });
});

it('brings two replicas that each know something to the same state', async () => {
  const [one, two] = [make('d0'), make('d1')];
  await one.put([row('a', lately(2)), row('b', lately(2))]);
  await two.put([row('b', lately(5), 1), row('c', lately(3))]);
  const work = pass(['d0', 'd1'], [0, 1], { per_diff: '1' });
  await work.run(signal);
  await work.run(signal);
  expect(one.stat().hash).toBe(two.stat().hash);
  expect(one.allFrom({}, 10).map(([name]) => name)).toEqual(['a', 'c']);
  expect(work.stats().failure).toBe(0);
});

it('takes a database away from a device that should not have it, once all others have it', async () => {
  const db = make('d2');
  await db.put([row('x', '0000000002.00000')]);
  const work = pass(['d0', 'd1', 'd2'], [0, 1]);
  await work.run(signal);
  expect(existsSync(pathOn('d2'))).toBe(false);
  expect(at('d0').stat().object_count).toBe(1);
  expect(at('d1').stat().object_count).toBe(1);
});

it('removes databases that were deleted long ago and reported', async () => {
  const db = make('d0');
  db.deleteDb('0000000005.00000');
  const work = pass(['d0', 'd1'], [0, 1]);
  await work.run(signal);
  expect(existsSync(pathOn('d0'))).toBe(true);
  const stat = db.stat();
  db.reported(stat.put_timestamp, stat.delete_timestamp, 0, 0);
  await work.run(signal);
  expect(existsSync(pathOn('d0'))).toBe(false);
});

it('finds damaged databases in an audit', async () => {
  make('d0');
  const audit = dbAuditPass({
    kind: 'container',
    Kind: ContainerDb,
    devices: root,
    mountCheck: false,
    reconCachePath: join(root, 'recon'),
    world,
  });
  await audit.run(signal);
  expect(audit.counts()).toEqual({ passed: 1, failed: 0 });
});
