import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { configFrom } from '@folsom/config';
import { createLogger, silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { addressRule, userDoor } from '@folsom/outbound';
import { afterEach, describe, expect, it } from 'vitest';
import { serviceContext } from '../context.ts';
import { imageDeclarations, storeOptions } from '../options.ts';
import { FAKE_ACCESS, FAKE_SECRET, startFakeS3 } from './fake-s3.ts';
import { FAKE_KEY, FAKE_USER, type FakeSwift, startFakeSwift } from './fake-swift.ts';
import { fileStore } from './file.ts';
import { parseS3Location, s3Store } from './s3.ts';
import type { Store } from './store.ts';
import { swiftStore } from './swift.ts';
import { formatSwiftLocation, parseSwiftLocation } from './swift-location.ts';

/** The stores' own addresses are open to them all the same. */
const OUTSIDE = userDoor({ addresses: addressRule([], 'external_source_networks') });
const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
const context = serviceContext(world);
const ID = '11111111-2222-3333-4444-555555555555';
const MEGABYTE = 1000 * 1024;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Bench {
  store: Store;
  /** Names of what is stored. */
  stored(): Promise<string[]>;
}

const swiftOptions = (settings: Record<string, string | number | boolean>) =>
  configFrom(imageDeclarations, { DEFAULT: settings }).of(storeOptions);

async function swiftBench(version: '1' | '2', extra: Record<string, string | number | boolean> = {}) {
  const swift = await startFakeSwift();
  cleanups.push(() => swift.close());
  const options = swiftOptions({
    swift_store_auth_version: version,
    swift_store_auth_address: version === '1' ? swift.auth1 : swift.auth2,
    swift_store_user: FAKE_USER,
    swift_store_key: FAKE_KEY,
    swift_store_create_container_on_put: true,
    swift_store_large_object_size: 1,
    swift_store_large_object_chunk_size: 1,
    ...extra,
  });
  const store = swiftStore(options, { door: OUTSIDE, world });
  return { store, swift, stored: async () => [...(swift.containers.get('glance')?.keys() ?? [])].sort() };
}

async function s3Bench(extra: Record<string, string | number | boolean> = {}, log = silentLogger) {
  const s3 = await startFakeS3();
  cleanups.push(() => s3.close());
  const options = swiftOptions({
    s3_store_host: s3.host,
    s3_store_access_key: FAKE_ACCESS,
    s3_store_secret_key: FAKE_SECRET,
    s3_store_bucket: 'images',
    s3_store_bucket_url_format: 'path',
    s3_store_create_bucket_on_put: true,
    ...extra,
  });
  const store = s3Store(options, { door: OUTSIDE, world: { ...world, log } });
  return { store, s3, stored: async () => [...(s3.buckets.get('images')?.keys() ?? [])] };
}

async function fileBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'folsom-store-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const store = await fileStore(directory, world);
  return {
    store,
    stored: async () => [
      ...(await readdir(directory)).filter(name => !name.startsWith('.')),
      ...(await readdir(join(directory, '.incoming'))),
    ],
  };
}

const add = (
  store: Store,
  data: Readable,
  size: number | null,
  extra: { sizeMax?: number; signal?: AbortSignal } = {},
) =>
  store.add!({
    imageId: ID,
    data,
    size,
    sizeMax: extra.sizeMax ?? Number.MAX_SAFE_INTEGER,
    context,
    signal: extra.signal ?? new AbortController().signal,
  });

const read = async (store: Store, location: string): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of (await store.get(location, context)).data) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** Chunks of odd sizes, `bytes` together. */
function* pieces(bytes: number): Generator<Buffer> {
  for (let at = 0, n = 1; at < bytes; n++) {
    const size = Math.min(bytes - at, 70_001);
    yield Buffer.alloc(size, n % 251);
    at += size;
  }
}

const benches: [string, () => Promise<Bench>][] = [
  ['file', fileBench],
  ['swift, login version 1', () => swiftBench('1')],
  ['swift, login version 2', () => swiftBench('2')],
  ['s3', () => s3Bench()],
];

describe.each(benches)('the %s store', (_name, bench) => {
  for (const known of [true, false]) {
    for (const bytes of [1, 1_000_000, 3_500_000]) {
      it(`keeps and gives back ${bytes} bytes of ${known ? 'known' : 'unknown'} size`, async () => {
        const { store, stored } = await bench();
        const whole = Buffer.concat([...pieces(bytes)]);
        const kept = await add(store, Readable.from(pieces(bytes)), known ? bytes : null);
        expect([kept.size, kept.checksum]).toEqual([bytes, createHash('md5').update(whole).digest('hex')]);
        expect((await read(store, kept.location)).equals(whole)).toBe(true);
        expect(await store.size(kept.location, context)).toBe(bytes);
        await expect(add(store, Readable.from([Buffer.from('x')]), 1)).rejects.toThrow('already has data');
        await store.delete!(kept.location, context);
        expect(await stored()).toEqual([]);
        await expect(store.get(kept.location, context)).rejects.toThrow('could not be found');
      });
    }
  }

  it('keeps nothing of what breaks off, is too large, or is given up', async () => {
    const { store, stored } = await bench();
    const broken = Readable.from(
      (async function* () {
        yield* pieces(2_500_000);
        throw new Error('the client went away');
      })(),
    );
    await expect(add(store, broken, null)).rejects.toThrow();
    await expect(add(store, Readable.from(pieces(2_500_000)), null, { sizeMax: 2_000_000 })).rejects.toThrow(
      'too large',
    );
    const controller = new AbortController();
    const given = Readable.from(
      (async function* () {
        yield* pieces(1_500_000);
        controller.abort(new Error('given up'));
        yield Buffer.alloc(10);
      })(),
    );
    await expect(add(store, given, null, { signal: controller.signal })).rejects.toThrow('given up');
    expect(await stored()).toEqual([]);
    expect((await add(store, Readable.from([Buffer.from('fine')]), 4)).size).toBe(4);
  });

  it('removes what a dead process left, and nothing that belongs to an image', async () => {
    const { store, stored } = await bench();
    const kept = await add(store, Readable.from(pieces(2_500_000)), null);
    expect(await store.removeLeftovers!(ID, context, kept.location)).toBe(0);
    expect((await read(store, kept.location)).byteLength).toBe(2_500_000);
    expect(await store.removeLeftovers!(ID, context, null)).toBeGreaterThan(0);
    expect(await stored()).toEqual([]);
  });
});

describe('the swift store', () => {
  it('stores large images in segments under a manifest', async () => {
    const { store, stored } = await swiftBench('2');
    const kept = await add(store, Readable.from(pieces(2.5 * MEGABYTE)), 2.5 * MEGABYTE);
    expect(await stored()).toEqual([ID, `${ID}-00001`, `${ID}-00002`, `${ID}-00003`]);
    expect(kept.location).toMatch(
      /^swift\+http:\/\/service%3Aglance:swift%20secret@127\.0\.0\.1:\d+\/v2\.0\/glance\//,
    );
  });

  it('removes its segments when one of them fails', async () => {
    const { store, swift, stored } = await swiftBench('2');
    swift.failAfter = 2;
    await expect(add(store, Readable.from(pieces(5 * MEGABYTE)), null)).rejects.toThrow('status 503');
    expect(await stored()).toEqual([]);
  });

  it('logs in once, and again when its token is refused', async () => {
    const { store, swift } = await swiftBench('2');
    const kept = await add(store, Readable.from([Buffer.from('data')]), 4);
    await read(store, kept.location);
    expect(swift.logins).toBe(1);
    swift.tokens.clear();
    expect((await read(store, kept.location)).toString()).toBe('data');
    expect(swift.logins).toBe(2);
  });

  it('asks for the container unless it may make it', async () => {
    const { store } = await swiftBench('2', { swift_store_create_container_on_put: false });
    await expect(add(store, Readable.from([Buffer.from('x')]), 1)).rejects.toThrow(
      'The container glance does not exist in Swift.',
    );
  });

  it('keeps images of tenants in their own accounts and tells them who may read', async () => {
    const { swift }: { swift: FakeSwift } = await swiftBench('2');
    swift.tokens.add('alice-token');
    const store = swiftStore(
      swiftOptions({ swift_store_multi_tenant: true, swift_store_admin_tenants: 'ops' }),
      {
        door: OUTSIDE,
        world,
      },
    );
    const alice = {
      ...context,
      authToken: 'alice-token',
      serviceCatalog: [
        { type: 'object-store', endpoints: [{ publicURL: `${new URL(swift.auth2).origin}/v1/AUTH_alice` }] },
      ],
    };
    const kept = await store.add!({
      imageId: ID,
      data: Readable.from([Buffer.from('data')]),
      size: 4,
      sizeMax: 10,
      context: alice,
      signal: new AbortController().signal,
    });
    expect(kept.location).toMatch(
      new RegExp(`^swift\\+http://127.0.0.1:\\d+/v1/AUTH_alice/glance_${ID}/${ID}$`),
    );
    await store.setAcls!(
      kept.location,
      { public: false, readTenants: ['a', 'b'], writeTenants: ['c'] },
      alice,
    );
    expect(swift.acls.get(`glance_${ID}`)).toMatchObject({
      'x-container-read': 'a,b',
      'x-container-write': 'c,ops',
    });
    await store.delete!(kept.location, alice);
    expect(swift.containers.has(`glance_${ID}`)).toBe(false);
  });
});

describe('the s3 store', () => {
  const one = () => Readable.from([Buffer.from('x')]);

  it('is let in by its signature alone', async () => {
    const { store, s3 } = await s3Bench();
    const kept = await add(store, one(), 1);
    expect([(await read(store, kept.location)).toString(), s3.refused]).toEqual(['x', 0]);
    const forged = kept.location.replace(FAKE_SECRET, 'another');
    const { store: open } = await s3Bench({ s3_store_host: s3.host });
    await expect(open.get(forged, context)).rejects.toThrow('status 403');
    expect(s3.refused).toBe(1);
  });

  it('asks for the bucket unless it may make it', async () => {
    const { store, s3 } = await s3Bench({ s3_store_create_bucket_on_put: false });
    await expect(add(store, one(), 1)).rejects.toThrow('The bucket images does not exist in S3.');
    s3.buckets.set('images', new Map());
    expect((await add(store, one(), 1)).size).toBe(1);
  });

  it('keeps nothing that the service holds otherwise', async () => {
    const { store, s3, stored } = await s3Bench();
    s3.etag = '0'.repeat(32);
    await expect(add(store, one(), 1)).rejects.toThrow('other bytes than were sent');
    expect(await stored()).toEqual([]);
  });

  it('writes no credential into the log, nor into what users see', async () => {
    const lines: string[] = [];
    const { store, s3 } = await s3Bench(
      {},
      createLogger({ write: line => lines.push(line), level: 'debug' }),
    );
    const { location } = await add(store, one(), 1);
    await s3.close();
    const given = [add(store, one(), 1), store.get(location, context), store.delete!(location, context)];
    for (const failed of await Promise.allSettled(given)) {
      expect(failed.status).toBe('rejected');
      lines.push(String((failed as PromiseRejectedResult).reason));
    }
    expect(lines.join('\n')).not.toMatch(new RegExp(`${FAKE_ACCESS}|cret`));
  });
});

describe('locations', () => {
  it('of swift are read and written as the original does', () => {
    const text = 'swift+https://acct%3Auser:p%40ss@auth.example.com/v2.0/container/object';
    expect(parseSwiftLocation(text)).toEqual({
      scheme: 'swift+https',
      user: 'acct:user',
      key: 'p@ss',
      address: 'auth.example.com/v2.0',
      container: 'container',
      object: 'object',
    });
    expect(formatSwiftLocation(parseSwiftLocation(text))).toBe(text);
    const slash = { ...parseSwiftLocation(text), key: 'a/b@c:d%2F' };
    expect(parseSwiftLocation(formatSwiftLocation(slash))).toEqual(slash);
    for (const bad of [
      'swift://a',
      'swift://u:k@a/c',
      'swift://u:k@http://a/c/o',
      'swift://u@a/c/o',
      'http://a/c/o',
    ]) {
      expect(() => parseSwiftLocation(bad), bad).toThrow('malformed');
    }
  });

  it('of S3 may hold slashes in the secret', () => {
    expect(parseS3Location('s3://key:se/cr/et@host:80/path/bucket/object')).toMatchObject({
      accessKey: 'key',
      secretKey: 'se/cr/et',
      service: 'host:80/path',
      bucket: 'bucket',
      key: 'object',
    });
  });
});

describe('the file store', () => {
  it('knows images that an original left in its directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'folsom-store-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, ID), 'old data');
    const store = await fileStore(directory, world);
    for (const location of [`file://${directory}/${ID}`, `filesystem://${directory}//${ID}`]) {
      expect((await read(store, location)).toString()).toBe('old data');
    }
  });
});
