import { createHash } from 'node:crypto';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { createInternalClient, internalText } from './index.ts';
import { answer, type BodyStream, bodyOf, intoMemory } from './message.ts';
import { createHttpServer } from './server.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const sumOf = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

async function readIn(body: BodyStream, room: number): Promise<Buffer> {
  const next = intoMemory(body);
  const parts: Buffer[] = [];
  for (;;) {
    const target = Buffer.alloc(room);
    const count = await next(target);
    if (count === 0) return Buffer.concat(parts);
    parts.push(target.subarray(0, count));
  }
}

async function readOut(body: BodyStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let part = await body.read(); part; part = await body.read()) parts.push(part);
  return Buffer.concat(parts);
}

it('what connections send side by side, in whatever pieces, is not mixed up', async () => {
  const server = createHttpServer({
    world,
    handler: async request => {
      // What comes meanwhile is kept.
      for (let turns = 0; turns < 20; turns++) await nextTurn();
      const room = Number(request.target.slice(1));
      const body = room > 0 ? await readIn(request.body, room) : await readOut(request.body);
      return answer(200, request, {
        body: sumOf(body),
        headers: [['x-mark', request.headers.get('x-mark') ?? '']],
      });
    },
  });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  // Readers with little and much room, and such as take what there is.
  const clients = [0, 100, 70_000, 0, 1_000_000, 65_536].map((room, n) => {
    const body = Buffer.alloc(200_000 + n * 50_000, `client ${n}, `);
    const text = n % 2 ? chunked(body) : body;
    const length = n % 2 ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
    const head = `PUT /${room} HTTP/1.1\r\nHost: x\r\nX-Mark: ${'m'.repeat(n)}${n}\r\n${length}\r\nConnection: close\r\n\r\n`;
    return { n, body, left: Buffer.concat([Buffer.from(head), text]) };
  });
  const answers = clients.map(async client => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    const ended = new Promise(resolve => socket.once('close', resolve));
    const sizes = [1, 3, 50, 700, 9000, 80_000];
    for (let turn = client.n; client.left.length > 0; turn++) {
      const size = sizes[turn % sizes.length] as number;
      socket.write(client.left.subarray(0, size));
      client.left = client.left.subarray(size);
      await nextTurn();
    }
    await ended;
    return text;
  });
  for (const [n, text] of (await Promise.all(answers)).entries()) {
    expect(text).toContain(`X-Mark: ${'m'.repeat(n)}${n}\r\n`);
    expect(text).toContain(sumOf(clients[n]!.body));
  }
  await server.close(100);
});

function chunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += 30_001) {
    const part = body.subarray(at, at + 30_001);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

it('neither are answers that come side by side', async () => {
  const bodies = [10, 70_000, 300_000, 1_000_000].map((size, n) => Buffer.alloc(size, `answer ${n}, `));
  const server = createHttpServer({
    world,
    handler: async request => ({
      status: 200,
      headers: new Map(),
      body: bodies[Number(request.target.slice(1))] as Buffer,
    }),
  });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const client = createInternalClient(world);
  const times = { connectTimeoutMs: 30_000, timeoutMs: 30_000 };
  const got = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      const call = { method: 'GET', path: `/${i % 4}`, headers: [], ...times };
      const response = await client.request({ ip: '127.0.0.1', port }, call);
      return sumOf(i < 4 ? await internalText(response) : await readIn(response.body, 50_000));
    }),
  );
  expect(got).toEqual(Array.from({ length: 12 }, (_, i) => sumOf(bodies[i % 4] as Buffer)));
  client.close();
  await server.close(100);
});

it('any body can be read into memory', async () => {
  const bytes = Buffer.from('a body that is there already');
  expect(await readIn(bodyOf(bytes), 5)).toEqual(bytes);
  expect(await readIn(bodyOf(Buffer.alloc(0)), 5)).toEqual(Buffer.alloc(0));
});
