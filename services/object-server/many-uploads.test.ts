import { systemClock } from '@folsom/core';
import { createInternalClient, internalText } from '@folsom/swift-http';
import { expect, it, vi } from 'vitest';
import { type TestServer, testServer } from './test-devices.ts';

/** Bytes that this thread, which serves all requests, digested and wrote itself. */
const onLoop = vi.hoisted(() => ({ digested: 0, written: 0 }));
/** Bytes that the digesting threads are asked for wait here while it is shut. */
const gate = vi.hoisted(() => ({ shut: null as Promise<void> | null, waiting: 0 }));

const sizeOf = (data: unknown): number => (data as { length?: number } | null)?.length ?? 0;
vi.mock('node:crypto', async original => {
  const real = await original<typeof import('node:crypto')>();
  const createHash: typeof real.createHash = (...args) => {
    const made = real.createHash(...args);
    const update = made.update.bind(made) as (data: never) => typeof made;
    made.update = (data: never) => {
      onLoop.digested += sizeOf(data);
      return update(data);
    };
    return made;
  };
  const hash = ((algorithm: string, data: never, form: 'hex') => {
    onLoop.digested += sizeOf(data);
    return real.hash(algorithm, data, form);
  }) as typeof real.hash;
  return { ...real, createHash, hash };
});
vi.mock('node:fs', async original => {
  const real = await original<typeof import('node:fs')>();
  const writeSync = ((fd: number, data: never, ...more: never[]) => {
    onLoop.written += sizeOf(data);
    return (real.writeSync as (...args: unknown[]) => number)(fd, data, ...more);
  }) as typeof real.writeSync;
  return { ...real, writeSync };
});
vi.mock('@folsom/host/md5-thread', async original => {
  const real = await original<typeof import('@folsom/host/md5-thread')>();
  const threadedMd5: typeof real.threadedMd5 = () => {
    const digest = real.threadedMd5();
    const update: typeof digest.update = async (memory, length) => {
      if (gate.shut) {
        gate.waiting++;
        await gate.shut;
      }
      return digest.update(memory, length);
    };
    return { ...digest, update };
  };
  return { ...real, threadedMd5 };
});

const UPLOADS = 64;
const PIECE = 65_536;
const BYTES = 32 * PIECE;
/** What the loop may digest and write for a small request, names and metadata included. */
const SMALL = 4096;

it('answers others while 64 large uploads wait for their digests, and does none of that work on the loop', async () => {
  const server: TestServer = await testServer();
  const client = createInternalClient({ clock: systemClock });
  const target = { ip: '127.0.0.1', port: server.port };
  const piece = Buffer.alloc(PIECE, 'folsom');
  const { createHash } = await vi.importActual<typeof import('node:crypto')>('node:crypto');
  const etag = createHash('md5').update(Buffer.alloc(BYTES, piece)).digest('hex');
  const times = { connectTimeoutMs: 30_000, timeoutMs: 60_000 };
  const small = { 'x-timestamp': '1.00000', 'content-type': 'a/b' };
  const open = Promise.withResolvers<void>();
  gate.shut = open.promise;
  const upload = async (n: number): Promise<[number, string | undefined]> => {
    const request = await client.open(target, {
      method: 'PUT',
      path: `/sda/7/a/c/large-${n}`,
      headers: [...Object.entries(small), ['Content-Length', String(BYTES)]],
      ...times,
    });
    for (let sent = 0; sent < BYTES; sent += PIECE) await request.write(piece);
    const answered = await request.finish();
    await internalText(answered);
    return [answered.status, answered.headers.get('etag')];
  };
  let done = 0;
  const uploads = Array.from({ length: UPLOADS }, async (_, n) => {
    const result = await upload(n);
    done++;
    return result;
  });
  // A slow processor: no digest gets on, yet everybody else is served.
  await expect.poll(() => gate.waiting).toBe(UPLOADS);
  for (let n = 0; n < 50; n++) {
    expect((await server.send('PUT', `/sda/7/a/c/small-${n}`, small, 'x')).status).toBe(201);
    expect((await server.send('GET', `/sda/7/a/c/small-${n}`)).body.toString()).toBe('x');
  }
  expect(done).toBe(0);
  open.resolve();
  gate.shut = null;
  expect(await Promise.all(uploads)).toEqual(Array.from({ length: UPLOADS }, () => [201, etag]));
  const requests = UPLOADS + 100;
  expect(onLoop.digested).toBeLessThan(requests * SMALL);
  expect(onLoop.written).toBeLessThan(requests * SMALL);
  client.close();
  await server.stop();
}, 120_000);
