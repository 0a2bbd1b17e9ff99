import { createHash } from 'node:crypto';
import net from 'node:net';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { afterEach, expect, it } from 'vitest';
import { BadCall, internalText } from './calls.ts';
import { createInternalClient } from './client.ts';
import { answer, readAll } from './message.ts';
import { createHttpServer } from './server.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function pair() {
  const server = createHttpServer({
    world,
    handler: async request => {
      if (request.target === '/full') return answer(507, request);
      const body = await readAll(request.body, 10_000_000);
      return answer(201, request, { body: String(body?.length), headers: [['etag', 'x']] });
    },
  });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const client = createInternalClient(world);
  closing.push(() => server.close(100), client.close);
  return { server, client, target: { ip: '127.0.0.1', port } };
}

const limits = { connectTimeoutMs: 30_000, timeoutMs: 30_000 };

it('uses one connection for many requests', async () => {
  const { server, client, target } = await pair();
  for (let i = 0; i < 5; i++) {
    const response = await client.request(target, {
      method: 'PUT',
      path: '/a',
      headers: [],
      body: Buffer.from('abc'),
      ...limits,
    });
    expect(response.status).toBe(201);
    expect((await internalText(response)).toString()).toBe('3');
  }
  expect(server.connections).toBe(1);
});

it('hands over a body that came in one piece as it is, and a long one as a stream', async () => {
  const bytes = Buffer.alloc(3_000_000, 'b');
  const server = createHttpServer({
    world,
    handler: async ({ target }) => ({
      status: 200,
      headers: new Map(),
      body: target === '/long' ? bytes : target === '/none' ? null : bytes.subarray(0, 10),
    }),
  });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const client = createInternalClient(world);
  closing.push(() => server.close(100), client.close);
  const get = (path: string) =>
    client.request({ ip: '127.0.0.1', port }, { method: 'GET', path, headers: [], ...limits });
  const short = await get('/short');
  expect(short.whole?.toString()).toBe('bbbbbbbbbb');
  expect((await internalText(short)).length).toBe(10);
  expect((await get('/none')).whole).toBeNull();
  const long = await get('/long');
  expect(long.whole).toBeNull();
  expect((await internalText(long)).equals(bytes)).toBe(true);
  expect(server.connections).toBe(1);
});

it.each([false, true])(
  'the memory of a piece is free again when it was written; chunked: %s',
  async chunked => {
    const sum = createHash('md5');
    const server = createHttpServer({
      world,
      handler: async request => {
        // Slower than the sender: what is written waits in sockets on the way.
        for (let chunk = await request.body.read(); chunk; chunk = await request.body.read()) {
          sum.update(chunk);
          request.body.free?.(chunk);
          await new Promise(resolve => setTimeout(resolve, 1));
        }
        return answer(201, request, { body: sum.digest('hex') });
      },
    });
    const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
    const client = createInternalClient(world);
    closing.push(() => server.close(100), client.close);
    const pieces = 40;
    const piece = Buffer.alloc(200_000);
    const upload = await client.open(
      { ip: '127.0.0.1', port },
      {
        method: 'PUT',
        path: '/a',
        headers: [
          chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(pieces * piece.length)],
        ],
        ...limits,
      },
    );
    expect(upload.keeps(piece)).toBe(false);
    const wanted = createHash('md5');
    for (let i = 0; i < pieces; i++) {
      piece.fill(i);
      wanted.update(piece);
      await upload.write(piece);
    }
    piece.fill(255);
    expect((await internalText(await upload.finish())).toString()).toBe(wanted.digest('hex'));
  },
);

it('sends a large body after 100 Continue, and none after an early answer', async () => {
  const { client, target } = await pair();
  const upload = await client.open(target, {
    method: 'PUT',
    path: '/a',
    headers: [['Content-Length', '1000000']],
    ...limits,
  });
  expect(upload.early).toBeNull();
  for (let i = 0; i < 10; i++) await upload.write(Buffer.alloc(100_000));
  const response = await upload.finish();
  expect((await internalText(response)).toString()).toBe('1000000');
  const refused = await client.open(target, {
    method: 'PUT',
    path: '/full',
    headers: [['Content-Length', '5']],
    ...limits,
  });
  expect(refused.early?.status).toBe(507);
  refused.abort();
});

it('sends bodies of unknown length in chunks', async () => {
  const { client, target } = await pair();
  const upload = await client.open(target, {
    method: 'PUT',
    path: '/a',
    headers: [['Transfer-Encoding', 'chunked']],
    ...limits,
  });
  await upload.write(Buffer.from('abc'));
  await upload.write(Buffer.from('de'));
  expect((await internalText(await upload.finish())).toString()).toBe('5');
});

it('gives up on a server that does not answer in time', async () => {
  const silent = net.createServer(() => {});
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  const client = createInternalClient(world);
  closing.push(client.close, () => silent.close());
  const { port } = silent.address() as net.AddressInfo;
  await expect(
    client.request(
      { ip: '127.0.0.1', port },
      { method: 'GET', path: '/', headers: [], connectTimeoutMs: 500, timeoutMs: 300 },
    ),
  ).rejects.toThrow('did not answer');
});

it('tries again when a kept connection was closed meanwhile', async () => {
  let connections = 0;
  const once = net.createServer(socket => {
    connections++;
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      // Closes only when the next request arrives: the client cannot know before.
      socket.once('data', () => socket.destroy());
    });
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => once.listen(0, '127.0.0.1', resolve));
  const client = createInternalClient(world);
  closing.push(client.close, () => once.close());
  const target = { ip: '127.0.0.1', port: (once.address() as net.AddressInfo).port };
  for (let i = 0; i < 2; i++) {
    const response = await client.request(target, { method: 'GET', path: '/', headers: [], ...limits });
    expect((await internalText(response)).toString()).toBe('ok');
  }
  expect(connections).toBe(2);
});

it('reports a body that ends too early', async () => {
  const cut = net.createServer(socket => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'));
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => cut.listen(0, '127.0.0.1', resolve));
  const client = createInternalClient(world);
  closing.push(client.close, () => cut.close());
  const target = { ip: '127.0.0.1', port: (cut.address() as net.AddressInfo).port };
  const response = await client.request(target, { method: 'GET', path: '/', headers: [], ...limits });
  await expect(internalText(response)).rejects.toThrow('closed the connection');
});

it('refuses headers that would break the request apart', async () => {
  const { client, target } = await pair();
  await expect(
    client.request(target, { method: 'GET', path: '/', headers: [['X', 'a\r\nB: c']], ...limits }),
  ).rejects.toThrow('line break');
});

it.each(['/v1/a?prefix=x\nX-Evil:1', '/a b', '/a\tb', '/a\0b', ''])(
  'never sends the target %j',
  async path => {
    const client = createInternalClient({ clock: systemClock });
    const call = { method: 'GET', path, headers: [], connectTimeoutMs: 1000, timeoutMs: 1000 };
    await expect(client.request({ ip: '127.0.0.1', port: 1 }, call)).rejects.toThrow(BadCall);
    await expect(client.open({ ip: '127.0.0.1', port: 1 }, call)).rejects.toThrow(BadCall);
    client.close();
  },
);
