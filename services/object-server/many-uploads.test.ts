import { hash } from 'node:crypto';
import { systemClock } from '@folsom/core';
import { createInternalClient, internalText } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { type TestServer, testServer } from './test-devices.ts';

const UPLOADS = 64;
const BYTES = 16 * 1024 * 1024;
const PIECE = 65_536;

it('takes 64 large uploads at once, every one, and answers others meanwhile', async () => {
  const server: TestServer = await testServer();
  const client = createInternalClient({ clock: systemClock });
  const target = { ip: '127.0.0.1', port: server.port };
  const piece = Buffer.alloc(PIECE, 'folsom');
  const etag = hash('md5', Buffer.alloc(BYTES, piece), 'hex');
  const times = { connectTimeoutMs: 30_000, timeoutMs: 60_000 };
  await server.send('PUT', '/sda/7/a/c/small', { 'x-timestamp': '1.00000', 'content-type': 'a/b' }, 'x');
  let uploading = UPLOADS;
  const upload = async (n: number): Promise<[number, string | undefined]> => {
    const open = await client.open(target, {
      method: 'PUT',
      path: `/sda/7/a/c/large-${n}`,
      headers: [
        ['X-Timestamp', '1.00000'],
        ['Content-Type', 'a/b'],
        ['Content-Length', String(BYTES)],
      ],
      ...times,
    });
    for (let sent = 0; sent < BYTES; sent += PIECE) await open.write(piece);
    const answered = await open.finish();
    await internalText(answered);
    uploading--;
    return [answered.status, answered.headers.get('etag')];
  };
  const uploads = Promise.all(Array.from({ length: UPLOADS }, (_, n) => upload(n)));
  // Each look opens a connection of its own; one that waited for the streams would be the only one.
  let looks = 0;
  while (uploading > 0 && looks < 200) {
    const other = createInternalClient({ clock: systemClock });
    const head = await other.request(target, {
      method: 'HEAD',
      path: '/sda/7/a/c/small',
      headers: [],
      ...times,
    });
    expect(head.status).toBe(200);
    other.close();
    looks++;
  }
  expect(looks).toBeGreaterThanOrEqual(20);
  expect(await uploads).toEqual(Array.from({ length: UPLOADS }, () => [201, etag]));
  client.close();
  await server.stop();
}, 120_000);
