import { randomBytes } from 'node:crypto';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import {
  createLogger,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { createLocalBus } from '@folsom/rpc';
import { afterEach, describe, expect, it } from 'vitest';
import { openImageCache } from './cache/cache.ts';
import { runCacheManage } from './cache/manage-commands.ts';
import { STATUSES, sourcesOf, TRANSITIONS } from './image.ts';
import { imageDeclarations } from './options.ts';
import { locationCipher } from './registry/encryption.ts';
import { parseIsoTime } from './registry/query.ts';
import { imageHeaders, startThrowaway, type Throwaway, type ThrowawayOptions } from './throwaway.ts';
import { runPrefetcher, runScrubber } from './tools.ts';

const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
const started: Throwaway[] = [];
afterEach(async () => {
  for (const image of started.splice(0)) await image.stop();
});
const start = async (options: ThrowawayOptions = {}) => {
  const image = await startThrowaway(options);
  started.push(image);
  return image;
};
const upload = async (image: Throwaway, body = 'data') =>
  (await image.call('POST', '/v1/images', { headers: imageHeaders(), body })).json().image.id as string;
const configOf = (image: Throwaway, more: Record<string, string | number | boolean> = {}) =>
  configFrom(imageDeclarations, {
    DEFAULT: {
      filesystem_store_datadir: image.images,
      image_cache_dir: join(image.directory, 'cache'),
      scrubber_datadir: join(image.directory, 'scrubber'),
      ...more,
    },
  });

describe('the scrubber', () => {
  it('removes bytes that are due and marks the image deleted', async () => {
    const image = await start({ image: { delayed_delete: true } });
    const id = await upload(image);
    await image.call('DELETE', `/v1/images/${id}`);
    expect(await image.files()).toEqual([id]);
    expect(await runScrubber({ config: configOf(image), world, db: image.db })).toBe(1);
    expect(await image.files()).toEqual([]);
    expect(await readdir(join(image.directory, 'scrubber'))).toEqual([]);
    expect((await image.db.knex('images').where({ id }).first())!.status).toBe('deleted');
    expect(await runScrubber({ config: configOf(image), world, db: image.db })).toBe(0);
  });

  it('waits for its time, and finds what nobody queued', async () => {
    const image = await start({ image: { delayed_delete: true, scrub_time: 3600 } });
    const id = await upload(image);
    await image.call('DELETE', `/v1/images/${id}`);
    expect(await runScrubber({ config: configOf(image), world, db: image.db })).toBe(0);
    expect(await image.files()).toEqual([id]);
    const scrubber = join(image.directory, 'scrubber');
    await writeFile(join(scrubber, '.cleanup'), 'cleanup\n1');
    await utimes(join(scrubber, '.cleanup'), 1, 1);
    const config = configOf(image, { cleanup_scrubber: true, cleanup_scrubber_time: 0 });
    const later: World = { ...world, clock: { ...systemClock, now: () => systemClock.now() + 2000 } };
    expect(await runScrubber({ config, world: later, db: image.db })).toBe(1);
    expect(await image.files()).toEqual([]);
  });
});

describe('the image cache', () => {
  it('is filled by the prefetcher, shown, cut and cleared', async () => {
    const image = await start();
    const [one, two] = [await upload(image, 'a'.repeat(1000)), await upload(image, 'b'.repeat(1000))];
    const manage = async (command: string, ...args: string[]) => {
      const lines: string[] = [];
      const code = await runCacheManage(
        { command, args, host: 'here', force: true, verbose: true },
        async (method, path) => {
          const { status, text } = await image.call(method, path, { user: 'admin' });
          return { status, body: text };
        },
        { print: line => lines.push(line), confirm: async () => null },
      );
      return `${code} ${lines.join('\n')}`;
    };
    expect(await manage('list-cached')).toBe('0 No cached images.');
    for (const id of [one, two, 'nosuch'])
      await image.call('PUT', `/v1/queued_images/${id}`, { user: 'admin' });
    expect(await manage('list-queued')).toContain('Found 3 queued images...');
    expect(await runPrefetcher({ config: configOf(image), world, db: image.db })).toBe(false);
    expect(await manage('list-queued')).toBe('0 No queued images.');
    expect(await manage('list-cached')).toMatch(/Found 2 cached images\.\.\.\nID +Last Accessed \(UTC\)/);
    expect(await manage('delete-cached-image', one)).toBe(`0 Deleted cached image ${one}`);
    const small = await openImageCache(
      {
        directory: join(image.directory, 'cache'),
        databaseFile: 'cache.db',
        sizeMax: 10,
        stallSeconds: 0,
        invalidGraceSeconds: 0,
      },
      world,
    );
    expect(await small.prune()).toEqual({ files: 1, bytes: 1000 });
    await mkdir(join(image.directory, 'cache', 'incomplete'), { recursive: true });
    await writeFile(join(image.directory, 'cache', 'incomplete', two), 'half');
    await utimes(join(image.directory, 'cache', 'incomplete', two), 1, 1);
    expect(await small.clean()).toBe(1);
    await small.close();
    expect(await manage('delete-all-cached-images')).toBe('0 Deleted 0 cached images');
    expect(await manage('queue-image')).toMatch(/^1 Please specify the ID/);
  });

  it('lets a client have what it cannot keep itself', async () => {
    const image = await start();
    const data = randomBytes(3 * 1024 * 1024 + 1).toString('base64');
    const id = await upload(image, data);
    // A directory in the copy's place.
    await mkdir(join(image.directory, 'cache', id, 'taken'), { recursive: true });
    expect((await image.call('GET', `/v1/images/${id}`)).text).toBe(data);
    expect(image.log()).toContain('could not be written to the cache');
    expect(await readdir(join(image.directory, 'cache', 'incomplete'))).toEqual([]);
  });

  it('does not keep bytes that are not the image’s', async () => {
    const image = await start();
    const id = await upload(image);
    await image.db
      .knex('images')
      .where({ id })
      .update({ checksum: '0'.repeat(32) });
    expect((await image.call('GET', `/v1/images/${id}`)).text).toBe('data');
    expect((await image.call('GET', '/v1/cached_images', { user: 'admin' })).json().cached_images).toEqual(
      [],
    );
  });

  it('is managed by administrators only', async () => {
    const image = await start();
    for (const path of ['/v1/cached_images', '/v1/queued_images']) {
      expect((await image.call('GET', path)).status).toBe(403);
      expect((await image.call('DELETE', path)).status).toBe(403);
    }
  });
});

describe('locations in the database', () => {
  it('are encrypted with the original’s cipher, and read whether encrypted or not', async () => {
    const cipher = locationCipher('0123456789abcdef', seededRandom(7));
    const text = 'swift+http://user:key@host/v2.0/glance/id';
    const sealed = cipher.encrypt(text);
    expect(sealed).not.toContain('user');
    expect(sealed).toMatch(/^[A-Za-z0-9_=-]+$/);
    expect(cipher.decrypt(sealed)).toBe(text);
    expect(cipher.decrypt(text)).toBe(text);
    expect(() => locationCipher('short', seededRandom(7))).toThrow('16, 24 or 32 characters');

    const image = await start({ image: { metadata_encryption_key: '0123456789abcdef' } });
    const v1 = await upload(image);
    const v2 = (await image.call('POST', '/v2/images', { body: {} })).json().id;
    const octets = { 'content-type': 'application/octet-stream' };
    await image.call('PUT', `/v2/images/${v2}/file`, { headers: octets, body: 'data' });
    for (const id of [v1, v2]) {
      expect((await image.db.knex('images').where({ id }).first())!.location).not.toContain('file:');
      expect((await image.call('GET', `/v2/images/${id}/file`)).text).toBe('data');
    }
    await image.restart();
    expect((await image.call('GET', `/v1/images/${v1}`)).text).toBe('data');
    for (const id of [v1, v2]) await image.call('DELETE', `/v1/images/${id}`);
    expect(await image.files()).toEqual([]);
  });
});

describe('notifications', () => {
  it('say what happened, without locations', async () => {
    const bus = createLocalBus({ ...world, log: createLogger({ level: 'error' }) });
    const heard: { key: string; body: Record<string, unknown> }[] = [];
    bus.onNotification((key, body) => heard.push({ key, body: body as Record<string, unknown> }));
    const image = await start({ bus, image: { notifier_strategy: 'rabbit' } });
    const id = await upload(image);
    await image.call('GET', `/v1/images/${id}`);
    await image.call('DELETE', `/v1/images/${id}`);
    await expect
      .poll(() => heard.map(({ body }) => body.event_type))
      .toEqual(['image.upload', 'image.update', 'image.send', 'image.delete']);
    const keys = ['event_type', 'message_id', 'payload', 'priority', 'publisher_id', 'timestamp'];
    for (const { body } of heard) expect(Object.keys(body).sort()).toEqual(keys);
    expect(heard[0]!.key).toBe('glance_notifications.info');
    expect(heard[0]!.body).toMatchObject({
      priority: 'INFO',
      payload: { id, status: 'active', location: null },
    });
    expect(heard[2]!.body).toMatchObject({
      payload: { bytes_sent: 4, image_id: id, receiver_tenant_id: 'tenant-alice' },
    });
  });
});

describe('the states of an image', () => {
  it('lead nowhere that gives bytes away or takes them back', () => {
    for (const from of STATUSES) {
      expect(TRANSITIONS[from]).not.toContain('queued');
      if (from !== 'queued') expect(TRANSITIONS[from]).not.toContain('saving');
      if (!['queued', 'saving'].includes(from)) expect(TRANSITIONS[from]).not.toContain('active');
    }
    expect(sourcesOf('active').sort()).toEqual(['active', 'queued', 'saving']);
  });
});

describe('times in queries', () => {
  it('are read as the original reads them', () => {
    expect(parseIsoTime('2012-11-23T01:02:03')).toBe(Date.UTC(2012, 10, 23, 1, 2, 3));
    expect(parseIsoTime('2012-11-23')).toBe(Date.UTC(2012, 10, 23));
    expect(parseIsoTime('2012-11-23 01:02:03.5+02:00')).toBe(Date.UTC(2012, 10, 22, 23, 2, 3, 500));
    for (const bad of ['', 'bad', '2012-13-01', '2012-11-23T25:00:00', '20121123T010203']) {
      expect(parseIsoTime(bad), bad).toBeUndefined();
    }
  });
});
