import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { openDirectoryLock, tryLockFile } from '@folsom/host/file-lock';
import { BATCH_HEADER, BATCH_METHOD, type BatchedRequest, pathHash, storageDirectory } from '@folsom/swift';
import { createInternalClient, type InternalClient, internalText } from '@folsom/swift-http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startContainerServer } from './server.ts';

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const hashes = pathHash('changeme');
let root: string;
const undeclared = new Set<string>();
let server: RunningService;
let client: InternalClient;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'containers-'));
  server = await startContainerServer({
    root,
    mountCheck: false,
    preallocate: false,
    pathHash: hashes,
    world,
    host: '127.0.0.1',
    port: 0,
    undeclared: (operation, what) => undeclared.add(`${operation}: ${what}`),
    autoCreateAccountPrefix: '.',
    allowVersions: true,
    allowedSyncHosts: [],
    connectTimeoutMs: 500,
    nodeTimeoutMs: 3000,
  });
  client = createInternalClient(world);
});
afterAll(async () => {
  expect([...undeclared]).toEqual([]);
  client.close();
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const response = await client.request(
    { ip: '127.0.0.1', port: Number(server.addresses[0]!.split(':')[1]) },
    {
      method,
      path,
      headers: Object.entries(headers),
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
      connectTimeoutMs: 1000,
      timeoutMs: 20_000,
    },
  );
  return {
    status: response.status,
    headers: response.headers,
    text: (await internalText(response)).toString(),
  };
}

const sum = 'd41d8cd98f00b204e9800998ecf8427e';
const put = (container: string, object: string, time = '2.00000'): BatchedRequest => [
  'PUT',
  `/sda/7/a/${container}/${object}`,
  { 'x-timestamp': time, 'x-size': '3', 'x-content-type': 'text/plain', 'x-etag': sum },
];

it('an update says that several may come at once, and several do', async () => {
  for (const name of ['one', 'two', 'held'])
    expect((await ask('PUT', `/sda/7/a/${name}`, { 'x-timestamp': '1.00000' })).status).toBe(201);
  const [method, path, headers] = put('one', 'gone', '1.00000');
  const alone = await ask(method, path, headers);
  expect([alone.status, alone.headers.get(BATCH_HEADER)]).toEqual([201, 'true']);

  // Somebody else holds one container: it is asked for again by itself, and holds up none of the others.
  const hash = hashes.hex('a', 'held');
  const lock = openDirectoryLock(dirname(join(root, 'sda', storageDirectory('containers', '7', hash), 'x')));
  expect(tryLockFile(lock)).toBe(true);
  const batch = [
    put('one', 'b%20%C3%A9'),
    put('two', 'c'),
    put('one', 'a'),
    ['DELETE', '/sda/7/a/one/gone', { 'x-timestamp': '2.00000' }],
    put('held', 'd'),
    put('never-made', 'e'),
    ['PUT', '/sda/7/a/one/f', { 'x-timestamp': '2.00000' }],
    ['PUT', '/sda/7/a/one/g', {}],
    ['PUT', '/sda/7/a/two', { 'x-timestamp': '2.00000' }],
    ['constructor', '/sda/7/a/two/h', { 'x-timestamp': '2.00000' }],
    ['PUT', '/../7/a/two/h', { 'x-timestamp': '2.00000' }],
  ];
  const told = await ask(BATCH_METHOD, '/', {}, JSON.stringify(batch));
  expect(told.status).toBe(200);
  expect(JSON.parse(told.text)).toEqual([201, 201, 201, 204, 503, 404, 400, 400, 503, 405, 400]);
  closeSync(lock);
  expect((await ask('GET', '/sda/7/a/one')).text).toBe('a\nb é\n');
  expect((await ask('GET', '/sda/7/a/two')).text).toBe('c\n');
  expect((await ask('GET', '/sda/7/a/held')).status).toBe(204);
});

it.each(['', '{', '{}', '[1]', '[["PUT","/",{"a":1}]]', JSON.stringify(Array(200).fill(put('one', 'x')))])(
  'what is no batch is refused: %.30s',
  async body => {
    expect((await ask(BATCH_METHOD, '/', {}, body)).status).toBe(400);
  },
);

it('a timestamp of a container may have more than ten digits, as in the original', async () => {
  const at = (time: string) => ({ 'x-timestamp': time });
  expect((await ask('PUT', '/sda/7/a/far', at('99999999999'))).status).toBe(201);
  expect((await ask('HEAD', '/sda/7/a/far')).headers.get('x-put-timestamp')).toBe('99999999999.00000');
  expect((await ask('POST', '/sda/7/a/far', at('soon'))).status).toBe(400);
});
