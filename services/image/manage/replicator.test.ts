import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imageDeclarations, startImageApi } from '../index.ts';
import { REPLICATOR_COMMANDS, type ReplicatorOptions } from './replicator.ts';

interface Glance {
  address: string;
  stop(): Promise<void>;
}

let dir: string;
let master: Glance;
let slave: Glance;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'replicator-'));
  master = await glance('master');
  slave = await glance('slave');
});
afterAll(async () => {
  await master?.stop();
  await slave?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A glance without authentication: whoever asks is an administrator. */
async function glance(name: string): Promise<Glance> {
  const images = join(dir, name);
  mkdirSync(images);
  const db: Database = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'glance');
  const service: RunningService = await startImageApi({
    config: configFrom([...imageDeclarations], {
      DEFAULT: { filesystem_store_datadir: images, scrubber_datadir: join(dir, `${name}-scrubber`) },
    }),
    world: { clock: systemClock, random: systemRandom, log: silentLogger },
    db,
    listen: { host: '127.0.0.1', port: 0 },
  });
  return {
    address: service.addresses[0]!,
    stop: async () => {
      await service.stop();
      await db.close();
    },
  };
}

async function replicate(
  name: string,
  args: string[],
  more: Partial<ReplicatorOptions> = {},
): Promise<string> {
  const lines: string[] = [];
  const add = (line: string) => void lines.push(line);
  await REPLICATOR_COMMANDS[name]!.run(
    args,
    {
      masterToken: '',
      slaveToken: '',
      dontReplicate: ['created_at', 'date', 'deleted_at', 'location', 'updated_at'],
      metaOnly: false,
      ...more,
    },
    { print: add, info: add, warn: add },
  );
  return lines.join('\n');
}

async function upload(to: Glance, headers: Record<string, string>, body: string): Promise<string> {
  const response = await fetch(`http://${to.address}/v1/images`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', ...headers },
    body,
  });
  expect(response.status).toBe(201);
  const { image } = (await response.json()) as { image: { id: string } };
  return image.id;
}

const IMAGE = {
  'x-image-meta-name': 'one',
  'x-image-meta-is_public': 'True',
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
  'x-image-meta-property-kind': 'test',
};

it('copies images from one glance to another, and what changes later', async () => {
  const id = await upload(master, IMAGE, 'some bytes');
  expect(await replicate('size', [master.address])).toBe('Total size is 10 bytes across 1 images');
  expect(await replicate('compare', [master.address, slave.address])).toBe(
    `${id}: entirely missing from the destination`,
  );
  await replicate('livecopy', [master.address, slave.address]);
  expect(await replicate('compare', [master.address, slave.address])).toBe('');
  const copied = await fetch(`http://${slave.address}/v1/images/${id}`);
  expect(await copied.text()).toBe('some bytes');
  expect(copied.headers.get('x-image-meta-property-kind')).toBe('test');

  await fetch(`http://${master.address}/v1/images/${id}`, {
    method: 'PUT',
    headers: { 'x-image-meta-name': 'two', 'x-image-meta-property-kind': 'other' },
  });
  expect(await replicate('compare', [master.address, slave.address])).toContain(
    `${id}: field name differs (source is two, destination is one)`,
  );
  expect(await replicate('livecopy', [master.address, slave.address])).toContain('... metadata has changed');
  expect(await replicate('compare', [master.address, slave.address])).toBe('');
});

it('dumps to a directory and loads from it', async () => {
  const third = await glance('third');
  try {
    const path = join(dir, 'dump');
    await replicate('dump', [master.address, path]);
    expect(readdirSync(path)).toHaveLength(2);
    writeFileSync(join(path, '00000000-0000-4000-8000-000000000000'), '{"id":"x","status":"active"}');
    const said = await replicate('load', [third.address, path]);
    expect(said).toContain('... dump is missing image data, skipping');
    expect(await replicate('compare', [master.address, third.address])).toBe('');
    expect(await replicate('size', [third.address])).toBe('Total size is 10 bytes across 1 images');
  } finally {
    await third.stop();
  }
});

it('says in one sentence what is wrong with a server', async () => {
  await expect(replicate('size', ['nowhere'])).rejects.toThrow('"nowhere" is not server:port');
  await expect(replicate('size', ['127.0.0.1:1'])).rejects.toThrow(/ECONNREFUSED/);
});
