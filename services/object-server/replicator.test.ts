import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@folsom/core';
import { addDevice, newBuilder, type Ring, rebalance, ringDataOf, ringOf } from '@folsom/ring';
import { confSection } from '@folsom/swift';
import { readMetadataAt } from '@folsom/swift/object-metadata';
import { createInternalClient } from '@folsom/swift-http';
import { eventually } from '@folsom/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replicateObjects, replicatorOptions } from './replicator.ts';
import { filesOf, HASH, objectDirectory, type TestServer, testServer } from './test-devices.ts';

const DEVICES = ['sd0', 'sd1', 'sd2', 'sd3'];
const REPLICAS = 3;
let servers: TestServer[] = [];
let ring: Ring;

/** Four servers on one host, one device each, as in the original's all-in-one. */
beforeEach(async () => {
  servers = [];
  const builder = newBuilder(4, REPLICAS, 1);
  for (const [id, device] of DEVICES.entries()) {
    const server = await testServer({}, { devices: [device] });
    servers.push(server);
    addDevice(builder, { id, zone: id, ip: '127.0.0.1', port: server.port, device, weight: 1, meta: '' });
  }
  rebalance(builder, { nowSeconds: 0, random: seededRandom(3) });
  ring = ringOf(ringDataOf(builder));
});
afterEach(async () => {
  for (const server of servers) await server.stop();
});

async function replicate(id: number, conf: Record<string, string> = {}) {
  const server = servers[id]!;
  const client = createInternalClient(server.world);
  try {
    return await replicateObjects({
      options: replicatorOptions(
        confSection({
          devices: server.root,
          mount_check: 'false',
          bind_port: String(server.port),
          sync_method: 'http',
          recon_cache_path: join(server.root, 'cache'),
          ...conf,
        }),
      ),
      ring,
      pathHash: HASH,
      client,
      world: server.world,
    });
  } finally {
    client.close();
  }
}

const replicateAll = async () => {
  for (const id of DEVICES.keys()) await replicate(id);
};

function placeOf(name: string): { part: number; primaries: number[]; handoff: number } {
  const [account, container, ...object] = name.split('/') as [string, string, ...string[]];
  const part = ring.partition(HASH.prefix(account, container, object.join('/')));
  const primaries = ring.nodes(part).map(node => node.id);
  return { part, primaries, handoff: DEVICES.findIndex((_, id) => !primaries.includes(id)) };
}

const send = (
  id: number,
  method: string,
  part: number,
  name: string,
  headers: Record<string, string> = {},
  body?: string,
) =>
  servers[id]!.send(method, `/${DEVICES[id]}/${part}/${name}`, { 'content-type': 'a/b', ...headers }, body);
const files = (id: number, part: number, name: string) =>
  filesOf(servers[id]!.root, DEVICES[id]!, part, name);

describe('replication by HTTP', () => {
  it('brings every replica the same files with the same metadata', async () => {
    const name = 'a/c/o \u2603';
    const quoted = 'a/c/o%20%E2%98%83';
    const { part, primaries } = placeOf(name);
    const headers = {
      'x-timestamp': '1400000000.12345',
      'x-object-meta-a': '\xe9',
      'x-delete-at': '4000000000',
    };
    await send(primaries[0]!, 'PUT', part, quoted, headers, 'hello');
    await send(primaries[0]!, 'POST', part, quoted, { 'x-timestamp': '1400000001', 'x-object-meta-b': '2' });
    await replicate(primaries[0]!);
    const wanted = ['1400000000.12345.data', '1400000001.00000.meta'];
    for (const id of primaries) expect(files(id, part, name)).toEqual(wanted);
    const metadata = primaries.map(id =>
      wanted.map(file => ({
        ...readMetadataAt(join(objectDirectory(servers[id]!.root, DEVICES[id]!, part, name), file)),
      })),
    );
    expect(metadata[1]).toEqual(metadata[0]);
    expect(metadata[2]).toEqual(metadata[0]);
    expect((await send(primaries[2]!, 'GET', part, quoted)).body.toString()).toBe('hello');
    const second = await replicate(primaries[0]!);
    expect([second.suffixesSynced, second.failures]).toEqual([0, 0]);
    expect(existsSync(join(servers[primaries[1]!]!.root, DEVICES[primaries[1]!]!, 'async_pending'))).toBe(
      false,
    );
  });

  it('brings tombstones, and never brings a deleted object back', async () => {
    const { part, primaries } = placeOf('a/c/dead');
    // Of now: a tombstone that is a week old is brought nowhere.
    const now = Math.floor(systemClock.now() / 1000);
    const put = { 'x-timestamp': `${now - 1}` };
    for (const id of primaries) await send(id, 'PUT', part, 'a/c/dead', put, 'x');
    await send(primaries[0]!, 'DELETE', part, 'a/c/dead', { 'x-timestamp': `${now}` });
    await replicateAll();
    await replicateAll();
    for (const id of primaries) expect(files(id, part, 'a/c/dead')).toEqual([`${now}.00000.ts`]);
  });

  it('brings expired objects, too, and the newest of different versions wins everywhere', async () => {
    const { part, primaries } = placeOf('a/c/versions');
    for (const [i, id] of primaries.entries()) {
      await send(id, 'PUT', part, 'a/c/versions', { 'x-timestamp': `180000000${i}` }, `version ${i}`);
    }
    await replicateAll();
    await replicateAll();
    for (const id of primaries) {
      expect((await send(id, 'GET', part, 'a/c/versions')).body.toString()).toBe('version 2');
      expect(files(id, part, 'a/c/versions')).toEqual(['1800000002.00000.data']);
    }
  });

  it('moves a handoff to its homes and removes it, keeping what came meanwhile', async () => {
    const { part, primaries, handoff } = placeOf('a/c/handed');
    await send(handoff, 'PUT', part, 'a/c/handed', { 'x-timestamp': '1800000000' }, 'off');
    const counts = await replicate(handoff);
    expect(counts.handoffsRemoved).toBe(1);
    for (const id of primaries)
      expect((await send(id, 'GET', part, 'a/c/handed')).body.toString()).toBe('off');
    expect(existsSync(join(servers[handoff]!.root, DEVICES[handoff]!, 'objects', String(part)))).toBe(false);
  });

  it('keeps a handoff until every home has it', async () => {
    const { part, primaries, handoff } = placeOf('a/c/kept');
    await send(handoff, 'PUT', part, 'a/c/kept', { 'x-timestamp': '1800000000' }, 'off');
    await servers[primaries[1]!]!.service.stop();
    const counts = await replicate(handoff);
    expect(counts.handoffsRemoved).toBe(0);
    expect(counts.failures).toBeGreaterThan(0);
    expect(files(handoff, part, 'a/c/kept')).toHaveLength(1);
    expect((await send(primaries[0]!, 'GET', part, 'a/c/kept')).body.toString()).toBe('off');
  });

  it('replaces what is in quarantine', async () => {
    const { part, primaries } = placeOf('a/c/healed');
    for (const id of primaries)
      await send(id, 'PUT', part, 'a/c/healed', { 'x-timestamp': '1800000000' }, 'good');
    await replicateAll();
    const [hurt] = primaries as [number];
    const directory = objectDirectory(servers[hurt]!.root, DEVICES[hurt]!, part, 'a/c/healed');
    writeFileSync(join(directory, readdirSync(directory)[0]!), 'baad');
    expect((await send(hurt, 'GET', part, 'a/c/healed')).status).toBe(404);
    await replicate(primaries[1]!);
    expect((await send(hurt, 'GET', part, 'a/c/healed')).body.toString()).toBe('good');
  });

  it('sends large objects and many of them', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `a/c/many${i}`);
    for (const name of names) {
      const { part, primaries } = placeOf(name);
      await send(primaries[0]!, 'PUT', part, name, { 'x-timestamp': '1800000000' }, name.repeat(20_000));
    }
    await replicateAll();
    for (const name of names) {
      const { part, primaries } = placeOf(name);
      for (const id of primaries) expect(files(id, part, name)).toHaveLength(1);
    }
  }, 240_000);

  it('reclaims old tombstones and old temporary files, and leaves its time for recon', async () => {
    const { part, primaries } = placeOf('a/c/old');
    const [id] = primaries as [number];
    await send(id, 'DELETE', part, 'a/c/old', { 'x-timestamp': '1000000000' });
    const tmp = join(servers[id]!.root, DEVICES[id]!, 'tmp', 'left');
    writeFileSync(tmp, 'x');
    await replicate(id, { reclaim_age: '0' });
    expect(files(id, part, 'a/c/old')).toEqual([]);
    await eventually(async () => {
      await replicate(id, { reclaim_age: '0' });
      return existsSync(tmp);
    }).toBe(false);
    const recon = JSON.parse(readFileSync(join(servers[id]!.root, 'cache/object.recon'), 'utf8'));
    expect(recon.object_replication_time).toBeGreaterThanOrEqual(0);
  });

  it('one object that cannot be read does not hold up the others of its partition', async () => {
    const { part, primaries } = placeOf('a/c/fine2');
    const [id] = primaries as [number];
    await send(id, 'PUT', part, 'a/c/fine2', { 'x-timestamp': '1800000000' }, 'x');
    const hash = '0123456789abcdef0123456789abc000';
    const broken = join(servers[id]!.root, DEVICES[id]!, 'objects', String(part), '000', hash);
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, '1800000000.00000.data'), 'no metadata at all');
    const counts = await replicate(id);
    expect(counts.failures).toBe(0);
    for (const at of primaries) expect(files(at, part, 'a/c/fine2')).toHaveLength(1);
    expect(readdirSync(join(servers[id]!.root, DEVICES[id]!, 'quarantined', 'objects'))).toEqual([hash]);
  });

  it('goes on with the next partition when one is broken', async () => {
    const { part, primaries } = placeOf('a/c/fine');
    const [id] = primaries as [number];
    await send(id, 'PUT', part, 'a/c/fine', { 'x-timestamp': '1800000000' }, 'x');
    const other = [...Array(16).keys()].find(
      at => at !== part && ring.nodes(at).some(node => node.id === id),
    )!;
    const broken = join(servers[id]!.root, DEVICES[id]!, 'objects', String(other), 'abc');
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, 'f'.repeat(32)), 'a file where a directory should be');
    await replicate(id);
    for (const at of primaries) expect(files(at, part, 'a/c/fine')).toHaveLength(1);
    expect(existsSync(join(broken, 'f'.repeat(32)))).toBe(false);
  });
});

it('devices of other hosts and ports are left alone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'none-'));
  try {
    const counts = await replicate(0, { bind_port: '1' });
    expect(counts.partitions).toBe(0);
  } finally {
    rmSync(root, { recursive: true });
  }
});
