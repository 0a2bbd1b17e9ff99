import { hash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { EACH_BY_ITSELF, EACH_DEVICES, EACH_HEADER, EACH_METHODS, type EachAnswer } from '@folsom/swift';
import { readMetadataAt } from '@folsom/swift/object-metadata';
import { createHttpServer, readAll } from '@folsom/swift-http';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { filesOf, objectDirectory, type TestServer, testServer } from './test-devices.ts';

const DEVICES = ['sda', 'sdb', 'sdc'];
let server: TestServer;
/** What the container server was told: targets. */
let told: string[] = [];
const containers = createHttpServer({
  world: { clock: systemClock, random: seededRandom(2), log: silentLogger },
  handler: async ({ method, target, body }) => {
    await readAll(body, 10_000);
    told.push(`${method} ${target}`);
    return { status: 201, headers: new Map(), body: null };
  },
});
let containerHost = '';
beforeAll(async () => {
  containerHost = await containers.listen(0, '127.0.0.1');
  server = await testServer({}, { devices: DEVICES });
});
afterAll(async () => {
  await server.stop();
  await containers.close(0);
});
beforeEach(() => {
  told = [];
});

let tick = 1_400_000_000;
const stamp = () => `${++tick}.00000`;
const listed = (of: (device: string, i: number) => string) => DEVICES.map(of).join(',');
const updates = () => ({
  'x-container-host': listed(() => containerHost),
  'x-container-partition': listed(() => '5'),
  'x-container-device': listed((_, i) => `c${i}`),
});

async function each(
  method: keyof typeof EACH_METHODS,
  name: string,
  headers: Record<string, string>,
  body?: string | Buffer,
): Promise<EachAnswer[] | number> {
  const type = { 'content-type': 'text/plain', [EACH_DEVICES]: DEVICES.join(',') };
  const answered = await server.send(EACH_METHODS[method], `/7/${name}`, { ...type, ...headers }, body);
  return answered.status === 200 ? JSON.parse(answered.body.toString()) : answered.status;
}

it.each([5, 1_300_000])('stores %i bytes on each device as a request for each would', async size => {
  const body = Buffer.alloc(size, 'folsom');
  const etag = hash('md5', body, 'hex');
  const at = stamp();
  const headers = { 'x-timestamp': at, 'x-object-meta-color': 'blue', ...updates() };
  expect(await each('PUT', 'a/c/o', headers, body)).toEqual(
    DEVICES.map(() => [201, etag, '201 Created\n\n\n\n   ']),
  );
  for (const device of DEVICES) {
    expect(filesOf(server.root, device, 7, 'a/c/o')).toEqual([`${at}.data`]);
    const file = join(objectDirectory(server.root, device, 7, 'a/c/o'), `${at}.data`);
    expect(readFileSync(file).equals(body)).toBe(true);
    expect({ ...readMetadataAt(file) }).toEqual({
      'X-Timestamp': at,
      'Content-Type': 'text/plain',
      ETag: etag,
      'Content-Length': String(size),
      'X-Object-Meta-Color': 'blue',
      name: '/a/c/o',
    });
    expect(readdirSync(join(server.root, device, 'tmp'))).toEqual([]);
  }
  expect(told.sort()).toEqual(DEVICES.map((_, i) => `PUT /c${i}/5/a/c/o`));

  const gone = stamp();
  expect(await each('DELETE', 'a/c/o', { 'x-timestamp': gone })).toEqual(DEVICES.map(() => [204, '', '']));
  for (const device of DEVICES) expect(filesOf(server.root, device, 7, 'a/c/o')).toEqual([`${gone}.ts`]);
});

it('answers of single changes say that it can be asked for many', async () => {
  const headers = { 'x-timestamp': stamp(), 'content-type': 'a/b' };
  expect((await server.send('PUT', '/sda/7/a/c/one', headers, 'x')).headers.get(EACH_HEADER)).toBe('true');
  const deleted = await server.send('DELETE', '/sda/7/a/c/one', { 'x-timestamp': stamp() });
  expect([deleted.status, deleted.headers.get(EACH_HEADER)]).toEqual([204, 'true']);
});

it.each([5, 300_000])('of %i bytes with a wrong sum nothing is stored anywhere', async size => {
  const headers = { 'x-timestamp': stamp(), etag: hash('md5', 'other', 'hex') };
  const answers = (await each('PUT', 'a/c/wrong', headers, Buffer.alloc(size))) as EachAnswer[];
  expect(answers.map(([status]) => status)).toEqual([422, 422, 422]);
  for (const device of DEVICES) expect(filesOf(server.root, device, 7, 'a/c/wrong')).toEqual([]);
});

it('where a device cannot begin, none does', async () => {
  writeFileSync(join(server.root, 'file'), 'no device');
  const headers = { 'x-timestamp': stamp(), [EACH_DEVICES]: 'sda,file,sdb' };
  const answers = (await each('PUT', 'a/c/part', headers, 'x')) as EachAnswer[];
  expect(answers.map(([status]) => status)).toEqual([EACH_BY_ITSELF, 507, EACH_BY_ITSELF]);
  expect(filesOf(server.root, 'sda', 7, 'a/c/part')).toEqual([]);
  const deleted = (await each('DELETE', 'a/c/part', headers)) as EachAnswer[];
  expect(deleted.map(([status]) => status)).toEqual([404, 507, 404]);
  const checked = await testServer({ mount_check: 'true' }, { devices: DEVICES });
  try {
    const all = { 'content-type': 'a/b', 'x-timestamp': stamp(), [EACH_DEVICES]: 'sda,sdb' };
    expect((await checked.send('PUT-EACH', '/7/a/c/o', all, 'x')).status).toBe(EACH_BY_ITSELF);
  } finally {
    await checked.stop();
  }
});

it.each([
  ['no devices', { [EACH_DEVICES]: '' }],
  ['a device twice', { [EACH_DEVICES]: 'sda,sda' }],
  ['a device that climbs', { [EACH_DEVICES]: 'sda,..%2Fsdb' }],
  ['a device that is no text', { [EACH_DEVICES]: 'sda,%ff' }],
  ['too many', { [EACH_DEVICES]: Array.from({ length: 17 }, (_, i) => `sd${i}`).join(',') }],
  ['lists of other lengths', { 'x-container-host': '127.0.0.1:1,127.0.0.1:2' }],
])('%s: 400', async (_, headers) => {
  expect(await each('PUT', 'a/c/bad', { 'x-timestamp': stamp(), ...headers }, 'x')).toBe(400);
  expect(filesOf(server.root, 'sda', 7, 'a/c/bad')).toEqual([]);
});
