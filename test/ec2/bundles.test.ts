import { constants, privateDecrypt } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  type Ec2Front,
  startEc2Front,
  startTestEc2,
  type TestEc2,
  textOf,
} from '@folsom/compute-api/testing';
import { configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { novaOptions } from '@folsom/nova/options';
import { startObjectstore } from '@folsom/objectstore';
import { eventually, freePorts, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleOf, cloudKeys, tarOf } from './bundle.ts';

const dir = tempDir('folsom-bundles');
const { publicKey, privateKey } = cloudKeys();
const uploaded = new Map<string, Buffer>();
/** Waited for before anything is decrypted. */
let held: Promise<void> | undefined;
const transfer = {
  upload: async (
    _context: unknown,
    id: string,
    facts: { properties?: Record<string, string> },
    data: never,
  ) => {
    uploaded.set(id, await buffer(data));
    const image = test.images.get(id)!;
    test.images.set(id, {
      ...image,
      status: 'active',
      properties: { ...image.properties, ...facts.properties },
    });
  },
} as never;
let store: RunningService;
let test: TestEc2;
let url: string;

beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number];
  store = await startObjectstore({
    config: configFrom([novaOptions], {
      DEFAULT: { s3_listen: '127.0.0.1', s3_listen_port: port, buckets_path: join(dir.path, 'buckets') },
    }),
    world: { clock: systemClock, random: systemRandom, log: silentLogger },
  });
  url = `http://127.0.0.1:${port}`;
  test = await startTestEc2({
    nova: settings(dir.path),
    answers: {
      'cert.decrypt_text': async (_context, args) => {
        await held;
        const { text } = args as unknown as { text: string };
        const decrypted = privateDecrypt(
          { key: privateKey, padding: constants.RSA_PKCS1_PADDING },
          Buffer.from(text, 'base64'),
        );
        return decrypted.toString();
      },
    },
    transfer,
  });
  await fetch(`${url}/bucket/`, { method: 'PUT' });
});
afterAll(async () => {
  await test.stop();
  await store.stop();
  dir.remove();
});

/** Puts a bundle into the bucket and registers it. The image's uuid. */
async function register(
  { manifest, parts }: Bundle,
  name: string,
  front: Pick<Ec2Front, 'act'> = test,
): Promise<string> {
  for (const part of parts)
    await fetch(`${url}/bucket/${part.name}`, { method: 'PUT', body: new Uint8Array(part.bytes) });
  await fetch(`${url}/bucket/${name}.manifest.xml`, { method: 'PUT', body: manifest });
  const answer = await front.act('RegisterImage', { ImageLocation: `bucket/${name}.manifest.xml` });
  expect(answer.status, answer.text).toBe(200);
  const id = textOf(answer.xml, 'imageId')!;
  const row = await test.db
    .knex('s3_images')
    .where({ id: Number.parseInt(id.slice(4), 16) })
    .first('uuid');
  return row!.uuid;
}

/** Where bundles are, and where it is noted what is to be done. */
function settings(state_path: string) {
  return { s3_host: '127.0.0.1', s3_port: Number(new URL(url).port), state_path };
}

const stateOf = (uuid: string): unknown => test.images.get(uuid)?.properties.image_state;
const becomes = (uuid: string, state: string) => eventually(() => stateOf(uuid)).toBe(state);

/** A folder with an image of several parts, most of it holes. */
function imageFolder(): { folder: string; bytes: Buffer } {
  const folder = join(dir.path, 'image');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'disk.img');
  const bytes = Buffer.alloc(3 * 1024 * 1024);
  Buffer.from('the beginning').copy(bytes);
  for (let at = 1024 * 1024; at < 1024 * 1024 + 60_000; at++) bytes[at] = (at * 7919) % 251;
  Buffer.from('the end').copy(bytes, bytes.length - 4096);
  writeFileSync(file, bytes);
  truncateSync(file, bytes.length);
  return { folder, bytes };
}

describe('images from bundles', () => {
  it.each([
    ['with holes', ['-S']],
    ['without', []],
  ] as const)('have the bytes that were bundled, %s', async (kind, options) => {
    const { folder, bytes } = imageFolder();
    const name = kind.replace(/\W/g, '');
    const uuid = await register(bundleOf(tarOf(folder, ['disk.img'], options), publicKey, { name }), name);
    await becomes(uuid, 'available');
    expect(uploaded.get(uuid)?.equals(bytes)).toBe(true);
    expect(test.images.get(uuid)).toMatchObject({
      disk_format: 'ami',
      container_format: 'ami',
      is_public: false,
      properties: { architecture: 'x86_64', image_location: `bucket/${name}.manifest.xml` },
    });
    const shown = await test.act('DescribeImages');
    expect(shown.text).toContain('<imageState>available</imageState>');
  });

  it('are kernels where the manifest says so', async () => {
    const { folder } = imageFolder();
    const bundle = bundleOf(tarOf(folder, ['disk.img']), publicKey, {
      name: 'kernel',
      machine: '<kernel_id>true</kernel_id>',
    });
    const uuid = await register(bundle, 'kernel');
    await becomes(uuid, 'available');
    expect(test.images.get(uuid)).toMatchObject({ disk_format: 'aki', container_format: 'aki' });
  });

  it('47: CVE-2011-4596: an archive whose names lead out of its folder is refused, and nothing is written', async () => {
    const folder = join(dir.path, 'evil', 'inner');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '..', 'outside'), 'x');
    writeFileSync(join(folder, 'good'), 'x'.repeat(5_000));
    symlinkSync('/etc/passwd', join(folder, 'link'));
    const before = [readdirSync(dir.path), readdirSync(join(dir.path, 'evil'))];
    const evil: [string, Buffer][] = [
      ['dots', tarOf(folder, ['../outside'], ['-P'])],
      ['dotslast', tarOf(folder, ['good', '../outside'], ['-P'])],
      ['absolute', tarOf(folder, [join(folder, 'good')], ['-P'])],
      ['link', tarOf(folder, ['link', 'good'])],
      ['linklast', tarOf(folder, ['good', 'link'])],
    ];
    for (const [name, archive] of evil) {
      const uuid = await register(bundleOf(archive, publicKey, { name }), name);
      await becomes(uuid, 'failed_untar');
      expect(uploaded.has(uuid), name).toBe(false);
    }
    expect([readdirSync(dir.path), readdirSync(join(dir.path, 'evil'))]).toEqual(before);
  });

  it('that are damaged say where it went wrong', async () => {
    const { folder } = imageFolder();
    const archive = tarOf(folder, ['disk.img']);
    const whole = bundleOf(archive, publicKey, { name: 'missing', partBytes: 500 });
    const missing = await register({ ...whole, parts: whole.parts.slice(0, -1) }, 'missing');
    await becomes(missing, 'failed_download');
    const changed = bundleOf(archive, publicKey, { name: 'changed', partBytes: 500 });
    changed.parts[1] = { name: changed.parts[1]!.name, bytes: Buffer.alloc(500) };
    await becomes(await register(changed, 'changed'), 'failed_download');
    await becomes(
      await register(bundleOf(archive, cloudKeys().publicKey, { name: 'foreign' }), 'foreign'),
      'failed_decrypt',
    );
    await becomes(
      await register(
        bundleOf(Buffer.from('no archive at all'), publicKey, { name: 'noarchive' }),
        'noarchive',
      ),
      'failed_untar',
    );
  });

  it('are made after a restart, whatever became of the process that had accepted them', async () => {
    const { folder, bytes } = imageFolder();
    const journal = join(dir.path, 'registrations');
    let release = () => {};
    held = new Promise(resolve => {
      release = resolve;
    });
    const kept = await register(bundleOf(tarOf(folder, ['disk.img']), publicKey, { name: 'kept' }), 'kept');
    await becomes(kept, 'decrypting');
    const begun = await register(
      bundleOf(tarOf(folder, ['disk.img']), publicKey, { name: 'begun' }),
      'begun',
    );
    await becomes(begun, 'decrypting');
    expect(readdirSync(journal).sort()).toEqual([`${kept}.json`, `${begun}.json`].sort());
    expect(statSync(join(journal, `${kept}.json`)).mode & 0o077).toBe(0);
    // The image service gives up what it got only a part of.
    test.images.set(begun, { ...test.images.get(begun)!, status: 'killed' });
    held = undefined;
    // The first process does nothing any more, as if it had been killed there.
    const next = await startEc2Front(test, { nova: settings(dir.path), transfer });
    await becomes(kept, 'available');
    expect(uploaded.get(kept)?.equals(bytes)).toBe(true);
    await becomes(begun, 'failed_upload');
    expect(uploaded.has(begun)).toBe(false);
    await eventually(() => readdirSync(journal)).toEqual([]);
    await next.ec2.stop();
    release();
  });

  it('are left to the next life by a service that stops', async () => {
    const { folder } = imageFolder();
    let release = () => {};
    held = new Promise(resolve => {
      release = resolve;
    });
    const nova = settings(join(dir.path, 'other'));
    const first = await startEc2Front(test, { nova, transfer });
    const bundle = bundleOf(tarOf(folder, ['disk.img']), publicKey, { name: 'stopped' });
    const uuid = await register(bundle, 'stopped', first);
    await becomes(uuid, 'decrypting');
    const stopped = first.ec2.stop();
    release();
    await stopped;
    expect(stateOf(uuid)).not.toMatch(/available|failed/);
    held = undefined;
    const second = await startEc2Front(test, { nova, transfer });
    await becomes(uuid, 'available');
    await second.ec2.stop();
  });

  it('are not begun where there is no manifest', async () => {
    for (const location of [
      'nobucket/x.xml',
      'bucket/none.xml',
      'bucket',
      '/etc/passwd',
      'bucket/../../x',
      '../bucket/x',
    ])
      expect(await test.act('RegisterImage', { ImageLocation: location })).toMatchObject({
        status: 400,
        code: 'UnknownError',
      });
    await fetch(`${url}/bucket/bad.xml`, {
      method: 'PUT',
      body: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    });
    expect(await test.act('RegisterImage', { ImageLocation: 'bucket/bad.xml' })).toMatchObject({
      status: 400,
      code: 'InvalidBundle',
    });
    expect(await test.act('RegisterImage')).toMatchObject({
      status: 400,
      message: 'imageLocation is required',
    });
  });
});
