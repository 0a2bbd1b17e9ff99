import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { pickle, pyTuple } from '@folsom/pickle';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AccountDb } from './account.ts';
import { chexor } from './connection.ts';
import { ContainerDb, type ObjectRow } from './container.ts';
import { createDbFile } from './create.ts';
import type { ListedObject } from './listed.ts';
import { listRows } from './listing-rows.ts';
import { pythonBase64 } from './pending.ts';
import { DbQuarantined } from './quarantine.ts';
import { createDbStore } from './store.ts';

const world = { clock: systemClock, random: seededRandom(3), log: silentLogger };
const HASH = '0123456789abcdef0123456789abcdef';
let root: string;
let path: string;
const open: { close(): void }[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'folsom-db-'));
  path = join(root, 'sda', 'containers', '1', 'def', HASH, `${HASH}.db`);
});
afterEach(() => {
  for (const db of open.splice(0)) db.close();
  rmSync(root, { recursive: true, force: true });
});

const object = (name: string, created: string, size = 1, deleted = 0): ObjectRow => ({
  name,
  created_at: created,
  size,
  content_type: 'text/plain',
  etag: 'e',
  deleted,
});

function container(at = path): ContainerDb {
  createDbFile(at, 'container', { account: 'a', container: 'c' }, '0000000001.00000', world);
  const db = new ContainerDb(at, { world });
  open.push(db);
  return db;
}

it('makes the tables, triggers and defaults of the original', () => {
  container();
  const sqlite = new Database(path, { readonly: true });
  const names = sqlite
    .prepare("SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY 1")
    .pluck()
    .all();
  sqlite.close();
  expect(names).toEqual([
    'index ix_object_deleted_name',
    'table container_stat',
    'table incoming_sync',
    'table object',
    'table outgoing_sync',
    'trigger incoming_sync_insert',
    'trigger incoming_sync_update',
    'trigger object_delete',
    'trigger object_insert',
    'trigger object_update',
    'trigger outgoing_sync_insert',
    'trigger outgoing_sync_update',
  ]);
  expect(createDbFile(path, 'container', { account: 'a', container: 'c' }, '1', world)).toBe(false);
});

it('keeps counts, bytes and the order-free hash as rows come and go', async () => {
  const db = container();
  await db.put([object('a', '0000000002.00000', 5), object('b', '0000000003.00000', 7)]);
  await db.commitPending();
  expect(db.stat()).toMatchObject({ object_count: 2, bytes_used: 12 });
  const zero = '0'.repeat(32);
  expect(db.stat().hash).toBe(chexor(chexor(zero, 'b', '0000000003.00000'), 'a', '0000000002.00000'));
  await db.put([object('a', '0000000004.00000', 0, 1)]);
  await db.commitPending();
  expect(db.stat()).toMatchObject({ object_count: 1, bytes_used: 7 });
});

it('lets the newer record win, whatever the order they come in', async () => {
  const db = container();
  await db.put([object('a', '0000000009.00000', 9)]);
  await db.put([object('a', '0000000005.00000', 5)]);
  await db.commitPending();
  await db.put([object('a', '0000000003.00000', 0, 1)]);
  await db.commitPending();
  expect(db.stat()).toMatchObject({ object_count: 1, bytes_used: 9 });
});

it('writes pending records the original can read, and reads those it wrote', async () => {
  const db = container();
  await db.put([object('näme', '0000000002.00000')]);
  const text = readFileSync(`${path}.pending`, 'latin1');
  expect(text.startsWith(':')).toBe(true);
  expect(text.endsWith('\n')).toBe(true);
  expect(text.split('\n').every(line => line.length <= 77)).toBe(true);
  // As the original's object server had it: numbers as they were in the headers.
  const foreign = pythonBase64(pickle(pyTuple('b', '0000000003.00000', 4, 'text/html', 'x', 0)));
  writeFileSync(`${path}.pending`, `${text}:${foreign}:not base64 of a pickle`);
  await db.commitPending();
  expect(db.allFrom({}, 10).map(row => row[0])).toEqual(['b', 'näme']);
  expect(statSync(`${path}.pending`).size).toBe(0);
});

it('merges a pending file that has grown too large without being asked', async () => {
  const db = container();
  const row = (i: number) => object(`${String(i).padStart(5, '0')}-${'x'.repeat(200)}`, '0000000002.00000');
  for (let i = 0; i < 12; i++) await db.put(Array.from({ length: 100 }, (_, j) => row(i * 100 + j)));
  expect(statSync(`${path}.pending`).size).toBeLessThan(200_000);
  await db.commitPending();
  expect(db.stat().object_count).toBe(1200);
});

it('merges metadata by time, name by name', () => {
  const db = container();
  db.updateMetadata({
    'X-Container-Meta-A': ['1', '0000000002.00000'],
    'X-Container-Meta-B': ['2', '0000000002.00000'],
  });
  db.updateMetadata({
    'X-Container-Meta-A': ['old', '0000000001.00000'],
    'X-Container-Meta-B': ['', '0000000003.00000'],
  });
  expect(db.metadata()).toEqual({
    'X-Container-Meta-A': ['1', '0000000002.00000'],
    'X-Container-Meta-B': ['', '0000000003.00000'],
  });
  db.reclaim('0000000004.00000', '4');
  expect(Object.keys(db.metadata())).toEqual(['X-Container-Meta-A']);
});

it('counts as deleted only when it was deleted after its last PUT and is empty', async () => {
  const db = container();
  await db.put([object('a', '0000000002.00000')]);
  await db.commitPending();
  db.deleteDb('0000000005.00000');
  expect(db.isDeleted()).toBe(false);
  await db.put([object('a', '0000000006.00000', 0, 1)]);
  await db.commitPending();
  expect(db.isDeleted()).toBe(true);
  db.updatePutTimestamp('0000000007.00000');
  expect(db.isDeleted()).toBe(false);
});

it('keeps the newest times of a container in its account', async () => {
  const at = join(root, 'sda', 'accounts', '1', 'def', HASH, `${HASH}.db`);
  createDbFile(at, 'account', { account: 'a' }, '0000000001.00000', world);
  const db = new AccountDb(at, { world });
  open.push(db);
  const row = (put: string, deleted: string, objects: number) => ({
    name: 'c',
    put_timestamp: put,
    delete_timestamp: deleted,
    object_count: objects,
    bytes_used: objects * 10,
    deleted: 0,
  });
  await db.put([row('0000000005.00000', '0', 3)]);
  await db.put([row('0000000002.00000', '0', 4)]);
  await db.commitPending();
  expect(db.stat()).toMatchObject({ container_count: 1, object_count: 4, bytes_used: 40 });
  expect(db.containerTimestamp('c')).toBe('0000000005.00000');
  await db.put([row('0000000005.00000', '0000000006.00000', 0)]);
  await db.commitPending();
  expect(db.stat()).toMatchObject({ container_count: 0, object_count: 0 });
  expect(db.containerTimestamp('c')).toBeNull();
});

it('puts a file that is no database any more into quarantine', () => {
  const db = container();
  db.close();
  writeFileSync(path, 'x'.repeat(8192));
  expect(() => new ContainerDb(path, { world })).toThrow(DbQuarantined);
  expect(readdirSync(join(root, 'sda', 'quarantined', 'containers'))).toEqual([HASH]);
});

it('hands out no handle whose file was replaced or taken away', () => {
  const store = createDbStore('container', ContainerDb, { world });
  open.push(store);
  container();
  const lease = store.lease();
  const first = lease.open(path)!;
  expect(lease.open(path)).toBe(first);
  rmSync(join(root, 'sda', 'containers'), { recursive: true });
  expect(lease.open(path)).toBeNull();
  mkdirSync(join(root, 'sda'), { recursive: true });
  container();
  expect(lease.open(path)).not.toBe(first);
  expect(first.isOpen).toBe(true);
  lease.release();
  expect(first.isOpen).toBe(false);
});

it('closes no handle that is in use, however many others are opened, and the last user closes it', () => {
  const store = createDbStore('container', ContainerDb, { world }, 2);
  open.push(store);
  const paths = ['a', 'b', 'c', 'd'].map(name => join(root, 'sda', 'containers', '7', name, `${name}.db`));
  for (const at of paths) store.create(at, { account: 'a', container: 'c' }, '1.00000');
  const [one, two, others] = [store.lease(), store.lease(), store.lease()];
  const used = one.open(paths[0]!)!;
  expect(two.open(paths[0]!)).toBe(used);
  for (const at of paths) others.open(at);
  others.release();
  for (const at of paths.slice(1)) others.open(at);
  expect(used.stat().status).toBe('');
  one.release();
  expect(used.isOpen).toBe(true);
  two.release();
  expect(used.isOpen).toBe(false);
  others.release();
});

it('does not lose a record when two processes write at once', async () => {
  const db = container();
  const other = new ContainerDb(path, { world });
  open.push(other);
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await (i % 2 ? db : other).put([object(`o${i}`, '0000000002.00000')]);
      if (i % 17 === 0) await (i % 2 ? other : db).commitPending();
    }),
  );
  await db.commitPending();
  expect(db.stat().object_count).toBe(200);
});

it('lists with every bound, prefix, delimiter and path', async () => {
  const db = container();
  const names = [
    'a',
    'b',
    'photos/animals/cat',
    'photos/animals/dog',
    'photos/me',
    'photos/plants/fern',
    'z',
    '\u{1f600}',
    '￰',
  ];
  await db.put(names.map(name => object(name, '0000000002.00000')));
  await db.commitPending();
  const list = (query: Partial<Parameters<typeof listRows>[0]>) =>
    listRows<ListedObject>(
      { limit: 100, marker: '', ...query },
      (bounds, limit) => db.rowsFrom(bounds, limit),
      name => [name, '0', 0, null, ''],
    ).map(row => row[0]);
  expect(list({})).toEqual([
    'a',
    'b',
    'photos/animals/cat',
    'photos/animals/dog',
    'photos/me',
    'photos/plants/fern',
    'z',
    '￰',
    '\u{1f600}',
  ]);
  expect(list({ marker: '￰' })).toEqual(['\u{1f600}']);
  expect(list({ delimiter: '/' })).toEqual(['a', 'b', 'photos/', 'z', '￰', '\u{1f600}']);
  expect(list({ delimiter: '/', limit: 3 })).toEqual(['a', 'b', 'photos/']);
  expect(list({ delimiter: '/', marker: 'photos/' })).toEqual(['z', '￰', '\u{1f600}']);
  expect(list({ prefix: 'photos/', delimiter: '/' })).toEqual([
    'photos/animals/',
    'photos/me',
    'photos/plants/',
  ]);
  expect(list({ prefix: 'photos/a' })).toEqual(['photos/animals/cat', 'photos/animals/dog']);
  expect(list({ path: 'photos' })).toEqual(['photos/me']);
  expect(list({ path: '' })).toEqual(['a', 'b', 'z', '￰', '\u{1f600}']);
  expect(list({ endMarker: 'b' })).toEqual(['a']);
  expect(list({ marker: 'a', endMarker: 'photos/b' })).toEqual([
    'b',
    'photos/animals/cat',
    'photos/animals/dog',
  ]);
  expect(list({ limit: 0 })).toEqual([]);
});

it('with db_preallocation a growing file has room ahead of it', async () => {
  container().close();
  const db = new ContainerDb(path, { world, preallocate: true });
  open.push(db);
  await db.put([object('o', '0000000002.00000', 1)]);
  await db.commitPending();
  const { size, blocks } = statSync(path);
  expect(size).toBeLessThan(512 * 1024);
  expect(blocks * 512).toBeGreaterThanOrEqual(1024 * 1024);
});
