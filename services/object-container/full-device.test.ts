import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host/run';
import { pathHash } from '@folsom/swift';
import { createInternalClient, internalText } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { startContainerServer } from './server.ts';

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const isRoot = needs('root', process.getuid?.() === 0);
if (!isRoot) console.warn('skipped: a full device needs root, to mount one');

it.skipIf(!isRoot)('a full device is 507 with the reason, reads go on, and room heals it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'full-'));
  const device = join(root, 'sda');
  mkdirSync(device);
  await run(['mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', device], { timeoutMs: 10_000 });
  const server = await startContainerServer({
    root,
    mountCheck: true,
    preallocate: false,
    pathHash: pathHash('changeme'),
    world,
    host: '127.0.0.1',
    port: 0,
    autoCreateAccountPrefix: '.',
    allowVersions: true,
    allowedSyncHosts: [],
    connectTimeoutMs: 500,
    nodeTimeoutMs: 3000,
  });
  const client = createInternalClient(world);
  const ask = async (method: string, path: string, more: [string, string][] = []) => {
    const headers: [string, string][] = [['X-Timestamp', (systemClock.now() / 1000).toFixed(5)], ...more];
    const response = await client.request(
      { ip: '127.0.0.1', port: Number(server.addresses[0]!.split(':')[1]) },
      { method, path: `/sda/7/a/${path}`, headers, connectTimeoutMs: 1000, timeoutMs: 20_000 },
    );
    return { status: response.status, text: (await internalText(response)).toString() };
  };
  const object: [string, string][] = [
    ['X-Size', '1'],
    ['X-Content-Type', 'a/b'],
    ['X-Etag', 'e'],
  ];
  try {
    expect((await ask('PUT', 'c')).status).toBe(201);
    expect(() => writeFileSync(join(device, 'filler'), Buffer.alloc(1_000_000))).toThrow('ENOSPC');
    const full = { status: 507, text: expect.stringContaining('full') };
    expect(await ask('PUT', 'other')).toMatchObject(full);
    expect(await ask('POST', 'c', [['X-Container-Meta-A', 'b'.repeat(200)]])).toMatchObject(full);
    expect(await ask('PUT', 'c/o', object)).toMatchObject(full);
    expect((await ask('GET', 'c')).status).toBe(204);
    rmSync(join(device, 'filler'));
    expect((await ask('PUT', 'c/o', object)).status).toBe(201);
    expect(await ask('GET', 'c')).toEqual({ status: 200, text: 'o\n' });
  } finally {
    client.close();
    await server.stop();
    await run(['umount', '-l', device], { timeoutMs: 10_000 });
    rmSync(root, { recursive: true, force: true });
  }
});
