import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@folsom/host/run';
import { unpickleDict } from '@folsom/pickle';
import { decodeRing, ringOf } from '@folsom/ring';
import { readMetadata, readMetadataAt, writeMetadata } from '@folsom/swift/object-metadata';
import { quotePath } from '@folsom/swift-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HASH, type TestServer, testServer } from './test-devices.ts';

/** When the devices were recorded: a week later, their tombstones are ones that a sum no longer counts. */
const RECORDED = Date.UTC(2026, 10, 23, 22);
const FIXTURES = fileURLToPath(new URL('../../test/fixtures/swift/', import.meta.url));

interface Listed {
  name: string;
  hash: string;
  bytes: number;
  content_type: string;
}
const listing = (name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Listed[];

let root: string;
let server: TestServer;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'devices-'));
  await run(
    ['tar', '--xattrs', '--xattrs-include=user.*', '-xzf', join(FIXTURES, 'devices.tar.gz'), '-C', root],
    { timeoutMs: 60_000 },
  );
  server = await testServer({}, { root, devices: [], keep: true, now: () => RECORDED });
});
afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true });
});

const ring = ringOf(decodeRing(readFileSync(join(FIXTURES, 'object.ring.gz'))));
const place = (container: string, object: string) => {
  const partition = ring.partition(HASH.prefix('AUTH_test', container, object));
  return { partition, nodes: ring.nodes(partition) };
};

/** Paths of all files with an ending below the objects of the devices. */
const filesEnding = (ending: string): string[] =>
  ['sdb1', 'sdb2', 'sdb3', 'sdb4'].flatMap(device =>
    (readdirSync(join(root, device, 'objects'), { recursive: true }) as string[])
      .filter(path => path.endsWith(ending))
      .map(path => join(root, device, 'objects', path)),
  );

describe('a device written by swift 1.7.4', () => {
  it.each([
    ['albums', 'expected-albums.json'],
    ['segments', 'expected-segments.json'],
    ['caf\u00e9', 'expected-caf_C3_A9.json'],
  ])('serves every object of %s from all its devices', async (container, file) => {
    const listed = listing(file);
    expect(listed.length).toBeGreaterThan(0);
    for (const { name, hash, bytes, content_type } of listed) {
      const { partition, nodes } = place(container, name);
      for (const node of nodes) {
        const path = quotePath(`/${node.device}/${partition}/AUTH_test/${container}/${name}`);
        const got = await server.send('GET', path);
        expect([
          name,
          got.status,
          got.body.length,
          got.headers.get('etag'),
          got.headers.get('content-type'),
        ]).toEqual([name, 200, bytes, hash, content_type]);
      }
    }
  });

  it('answers 404 for the deleted object and keeps its tombstones', async () => {
    const tombstones = filesEnding('.ts');
    expect(tombstones).toHaveLength(3);
    for (const path of tombstones) {
      const { name, deleted } = readMetadataAt(path);
      expect(deleted).toBe(true);
      const [, device, , partition] = path.slice(root.length).split('/');
      expect((await server.send('GET', `/${device}/${partition}${quotePath(String(name))}`)).status).toBe(
        404,
      );
    }
  });

  it('its metadata reads and writes back the same, whatever the length', () => {
    const copy = join(root, 'copy');
    let longest = 0;
    for (const path of [...filesEnding('.data'), ...filesEnding('.meta'), ...filesEnding('.ts')]) {
      const metadata = readMetadataAt(path);
      writeFileSync(copy, '');
      const fd = openSync(copy, 'r+');
      writeMetadata(fd, metadata);
      expect(readMetadata(fd)).toEqual(metadata);
      closeSync(fd);
      rmSync(copy);
      longest = Math.max(longest, JSON.stringify(metadata).length);
    }
    expect(longest).toBeGreaterThan(2 * 254);
  });

  it('its suffix sums are the ones we make', async () => {
    let compared = 0;
    for (const path of filesEnding('hashes.pkl')) {
      const [, device, , partition] = path.slice(root.length).split('/');
      const theirs = unpickleDict(readFileSync(path));
      const suffixes = Object.keys(theirs);
      const answer = await server.send('REPLICATE', `/${device}/${partition}/${suffixes.join('-')}`);
      const ours = unpickleDict(answer.body);
      for (const suffix of suffixes) {
        if (theirs[suffix] === null) continue;
        expect(ours[suffix]).toBe(theirs[suffix]);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(10);
  });
});
