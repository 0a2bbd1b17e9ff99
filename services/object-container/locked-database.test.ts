import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ContainerDb } from '@folsom/container-db';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { openDirectoryLock, tryLockFile, unlockFile } from '@folsom/host/file-lock';
import { pathHash, storageDirectory } from '@folsom/swift';
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

async function ask(method: string, container: string): Promise<number> {
  const response = await client.request(
    { ip: '127.0.0.1', port: Number(server.addresses[0]!.split(':')[1]) },
    {
      method,
      path: `/sda/7/a/${container}`,
      headers: [['X-Timestamp', (systemClock.now() / 1000).toFixed(5)]],
      connectTimeoutMs: 1000,
      timeoutMs: 20_000,
    },
  );
  await internalText(response);
  return response.status;
}

it('a database locked by another process holds up its own requests, no others, and none fails', async () => {
  for (const name of ['locked', 'free']) expect(await ask('PUT', name)).toBe(201);
  const hash = hashes.hex('a', 'locked');
  const path = join(root, 'sda', storageDirectory('containers', '7', hash), `${hash}.db`);
  const holder = new ContainerDb(path, { world });
  let release = (): void => {};
  const locked = holder.whileLocked(
    () =>
      new Promise<void>(resolve => {
        release = resolve;
      }),
  );
  // A record that is not in the database yet: readers go without it rather than wait.
  const object = { created_at: '1.00000', size: 1, content_type: 'a/b', etag: 'e', deleted: 0 };
  await holder.put([{ name: 'o', ...object }]);
  let waiting = true;
  const held = Promise.all([ask('POST', 'locked'), ask('PUT', 'locked')]).finally(() => {
    waiting = false;
  });
  for (let i = 0; i < 20; i++) {
    expect(await ask('HEAD', 'locked')).toBe(204);
    expect(await ask('GET', 'locked')).toBe(204);
    expect(await ask('PUT', 'free')).toBe(202);
  }
  expect(waiting).toBe(true);
  release();
  await locked;
  expect(await held).toEqual([204, 202]);
  expect(await ask('GET', 'locked')).toBe(200);
  expect(await ask('DELETE', 'locked')).toBe(409);
  holder.close();
});

it('a database in use stays open, however many others are asked for meanwhile', async () => {
  const others = Array.from({ length: 300 }, (_, n) => `other-${n}`);
  for (const name of ['waiting', ...others]) expect(await ask('PUT', name)).toBe(201);
  const hash = hashes.hex('a', 'waiting');
  const path = join(root, 'sda', storageDirectory('containers', '7', hash), `${hash}.db`);
  // A record that is still to be brought in, under the directory's lock, which somebody else holds.
  const holder = new ContainerDb(path, { world });
  await holder.put([
    { name: 'o', created_at: '1.00000', size: 1, content_type: 'a/b', etag: 'e', deleted: 0 },
  ]);
  const lock = openDirectoryLock(dirname(path));
  expect(tryLockFile(lock)).toBe(true);
  let waiting = true;
  const held = ask('POST', 'waiting').finally(() => {
    waiting = false;
  });
  for (const name of others) expect(await ask('HEAD', name)).toBe(204);
  expect(waiting).toBe(true);
  unlockFile(lock);
  closeSync(lock);
  expect(await held).toBe(204);
  holder.close();
});
