import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import {
  createLogger,
  Fault,
  LIMITS,
  silentLogger,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { afterEach, describe, expect, it } from 'vitest';
import { type App, type AppOptions, createApp } from './index.ts';
import { dropStalledReaders } from './stalled-readers.ts';

const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
const apps: App[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map(app => app.stop()));
});

function sample(overrides: Partial<AppOptions> = {}): App {
  const app = createApp({
    name: 'sample',
    world,
    bodyLimit: 100,
    requestIdHeader: 'x-request-id',
    authenticate: null,
    renderFault: fault => ({
      status: fault.status,
      headers: { 'content-type': 'application/json', ...fault.headers },
      body: JSON.stringify({ fault: fault.name, message: fault.message }),
    }),
    ...overrides,
  });
  app.server.post('/echo', async request => (request.body as Buffer | undefined)?.toString() ?? 'none');
  app.server.post('/size', { config: { stream: true } }, async request => {
    let size = 0;
    for await (const chunk of request.body as AsyncIterable<Buffer>) size += chunk.length;
    return { size };
  });
  app.server.get('/fault', async () => {
    throw new Fault('Teapot', 418, 'short and stout', { headers: { 'retry-after': '3' } });
  });
  app.server.get('/bug', async () => {
    throw new TypeError('inner secret text');
  });
  apps.push(app);
  return app;
}

async function start(app: App): Promise<string> {
  return `http://${await app.listen({ host: '127.0.0.1', port: 0 })}`;
}

describe('createApp', () => {
  it('renders faults, unknown paths and unknown methods in the service form, with a request id', async () => {
    const base = await start(sample());
    const teapot = await fetch(`${base}/fault`);
    expect(teapot.status).toBe(418);
    expect(teapot.headers.get('retry-after')).toBe('3');
    expect(teapot.headers.get('x-request-id')).toMatch(/^req-/);
    for (const [method, path] of [
      ['GET', '/nowhere'],
      ['PUT', '/echo'],
    ] as const) {
      const answer = await fetch(base + path, { method });
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ fault: 'RouteNotFound' });
    }
  });

  it('turns a bug into a bare 500 whose inner text only the log has', async () => {
    const lines: string[] = [];
    const log = createLogger({ write: line => lines.push(line) });
    const base = await start(sample({ world: { ...world, log } }));
    const answer = await fetch(`${base}/bug`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('inner secret');
    expect(lines.join('')).toContain('inner secret text');
  });

  it('hands over bodies of any content type, or none, and refuses larger ones', async () => {
    const base = await start(sample());
    for (const headers of [{ 'content-type': 'application/json' }, { 'content-type': 'weird/thing' }]) {
      const answer = await fetch(`${base}/echo`, { method: 'POST', body: 'hello', headers });
      expect(await answer.text()).toBe('hello');
    }
    const raw = await rawRequest(
      base,
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
    );
    expect(raw).toMatch(/hello$/);
    const large = await fetch(`${base}/echo`, { method: 'POST', body: 'x'.repeat(101) });
    expect(large.status).toBe(413);
    const chunked = await rawRequest(
      base,
      `POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nff\r\n${'x'.repeat(255)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toContain(' 413 ');
  });

  it('gives up on a body that does not arrive, and on no upload however long it takes', async () => {
    const app = sample({ bodyTimeoutMs: 100 });
    const base = await start(app);
    const answer = await rawRequest(base, 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"fault":"RequestTimeout"');
    // Node would end requests after five minutes, and idle connections after five seconds.
    expect(app.server.server).toMatchObject({
      requestTimeout: 0,
      headersTimeout: LIMITS.headersTimeoutMs,
      keepAliveTimeout: LIMITS.keepAliveTimeoutMs,
    });
    const { hostname, port } = new URL(base);
    const upload = connect(Number(port), hostname);
    upload.write('POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n12');
    await systemClock.sleep(300);
    upload.write('34');
    let text = '';
    for await (const chunk of upload) text += chunk;
    expect(text).toContain('{"size":4}');
  });

  it('lets nobody in who was not let in, unless the route is public; unknown paths neither', async () => {
    const app = sample({
      authenticate: async request => {
        if (request.headers['x-auth-token'] !== 'good') throw new Fault('Unauthorized', 401, 'who?');
      },
    });
    app.server.get('/open', { config: { public: true } }, async () => 'open');
    const base = await start(app);
    for (const path of ['/echo', '/fault', '/nowhere', '/OPEN', '/open/']) {
      expect([path, (await fetch(base + path)).status]).toEqual([path, 401]);
    }
    expect((await fetch(`${base}/open`)).status).toBe(200);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect((await fetch(`${base}/fault`, { headers: { 'x-auth-token': 'good' } })).status).toBe(418);
    expect(app.routes.filter(route => route.public).map(route => route.path)).toEqual([
      '/healthz',
      '/readyz',
      '/open',
    ]);
  });

  it('serves an absolute target by its own authority, and one path under one spelling', async () => {
    const seen: string[] = [];
    const app = sample({ rewritePath: path => (path === '/alias' ? '/where' : path) });
    app.server.get('/where', async request => {
      seen.push(`${request.headers.host} ${request.url}`);
      return 'here';
    });
    const base = await start(app);
    for (const target of ['http://other:1/where?a=1', '/%77here?a=1', '/alias?a=1']) {
      const text = await rawRequest(base, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(text).toMatch(/^HTTP\/1.1 200 /);
    }
    expect(seen).toEqual(['other:1 /where?a=1', 'x /where?a=1', 'x /where?a=1']);
  });

  it('tells browsers to take every answer for what it says it is (advisory 93)', async () => {
    const base = await start(sample());
    for (const path of ['/fault', '/bug', '/nowhere', '/healthz', '/%ff', '/size']) {
      const answer = await fetch(base + path);
      expect([path, answer.headers.get('x-content-type-options')]).toEqual([path, 'nosniff']);
    }
    expect(await rawRequest(base, 'NONSENSE\r\n\r\n')).toMatch(/\r\nX-Content-Type-Options: nosniff\r\n/);
  });

  it('streams where the route says so', async () => {
    const base = await start(sample());
    const answer = await fetch(`${base}/size`, { method: 'POST', body: 'x'.repeat(1_000_000) });
    expect(await answer.json()).toEqual({ size: 1_000_000 });
  });

  it('bounds the headers and survives nonsense', async () => {
    const base = await start(sample());
    expect(
      await rawRequest(base, `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'y'.repeat(20_000)}\r\n\r\n`),
    ).toContain(' 431 ');
    expect(await rawRequest(base, 'NONSENSE\r\n\r\n')).toContain(' 400 ');
    expect(await rawRequest(base, 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      / 40[04] /,
    );
    // The parser takes a star for a target, and what stands behind it, too.
    for (const line of [
      'GET *x HTTP/1.1\r\nHost: x',
      'OPTIONS * HTTP/1.1\r\nHost: x',
      'GET */2.0 HTTP/1.1\r\nHost: x',
    ])
      expect(await rawRequest(base, `${line}\r\nConnection: close\r\n\r\n`)).toMatch(/ 40[045] /);
    expect(await rawRequest(base, 'PRI *0\r\n\r\n HTTP/2.0\n\r\n\r\n')).not.toMatch(/ 5\d\d /);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  it('finishes what is in flight when it stops, then refuses', async () => {
    const app = sample();
    const entered = Promise.withResolvers<void>();
    const held = Promise.withResolvers<string>();
    app.server.get('/held', () => {
      entered.resolve();
      return held.promise;
    });
    const base = await start(app);
    const slow = fetch(`${base}/held`);
    await entered.promise;
    const stopped = app.stop();
    held.resolve('done');
    const answer = await slow;
    expect(answer.headers.get('connection')).toBe('close');
    expect(await answer.text()).toBe('done');
    await stopped;
    await expect(fetch(`${base}/healthz`)).rejects.toThrow();
  });

  it('serves everybody who was connected when it stops', async () => {
    const app = sample();
    const base = await start(app);
    const hello = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello';
    // The kernel has these connections by now; the server has not yet heard of any.
    const asked = Array.from({ length: 200 }, () => rawRequest(base, hello));
    const stopped = app.stop();
    for (const answer of await Promise.all(asked)) expect(answer).toMatch(/^HTTP\/1.1 200 .*hello$/s);
    await stopped;
    await expect(fetch(`${base}/healthz`)).rejects.toThrow();
  });

  it('does not wait for connections on which nothing was ever said', async () => {
    const app = sample();
    const base = await start(app);
    const { hostname, port } = new URL(base);
    const silent = connect(Number(port), hostname);
    const closed = once(silent, 'close');
    await once(silent, 'connect');
    const before = systemClock.monotonic();
    await app.stop();
    expect(systemClock.monotonic() - before).toBeLessThan(LIMITS.stopGraceMs - 1_000);
    silent.resume();
    await closed;
  });

  it('answers a request that is followed by something else, then closes', async () => {
    const app = sample();
    app.server.delete('/slow', async () => {
      await systemClock.sleep(100);
      return 'done';
    });
    const base = await start(app);
    const text = await rawRequest(base, 'DELETE /slow HTTP/1.1\r\nHost: x\r\n\r\n{"not": "announced"}');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK.*done/s);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    // What breaks within its own body is still the request's fault.
    const broken = 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
    expect(await rawRequest(base, broken)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('refuses a method of later times without what it needs, also where every method is served', async () => {
    const app = sample();
    app.server.all('/any', async () => 'any');
    const base = await start(app);
    for (const [type, status] of [
      ['', 400],
      ['Content-Type:\r\n', 400],
      ['Content-Type: a/b\r\nContent-Length: 0\r\n', 200],
    ] as const) {
      const asked = `QUERY /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}\r\n`;
      expect(await rawRequest(base, asked)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it('answers once where the body breaks behind an answer that was given early', async () => {
    const { hostname: host, port } = new URL(await start(sample()));
    const client = connect({ host, port: Number(port) });
    client.write('GET /fault HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n');
    let text = '';
    client.on('data', data => {
      if (text === '') client.write('zz\r\n');
      text += data;
    });
    await once(client, 'close');
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 418']);
  });

  it('ends the connection of a reader who takes nothing of his answer, and of no other', async () => {
    const open = new Set<number>();
    const server = createServer((request, response) => {
      open.add(request.socket.remotePort!);
      request.socket.once('close', () => open.delete(request.socket.remotePort!));
      response.write(Buffer.alloc(request.url === '/large' ? 32 * 1024 ** 2 : 10));
    });
    dropStalledReaders(server, 300);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clients = ['/large', '/small'].map(path => {
      const client = connect({ host: '127.0.0.1', port }).pause();
      client.on('error', () => {});
      client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return client;
    });
    await expect.poll(() => open.size).toBe(2);
    await expect.poll(() => [...open]).toEqual([clients[1]!.localPort]);
    for (const client of clients) client.destroy();
    server.closeAllConnections();
    server.close();
  });

  it('says in one sentence that a port is in use', async () => {
    const first = sample();
    const base = await start(first);
    await expect(sample().listen({ host: '127.0.0.1', port: Number(new URL(base).port) })).rejects.toThrow(
      /port \d+ on 127.0.0.1 is already in use/,
    );
  });

  it('tells what is not ready and why', async () => {
    const base = await start(
      sample({
        checks: {
          database: async () => {},
          bus: async () => {
            throw new Error('broker unreachable');
          },
        },
      }),
    );
    const answer = await fetch(`${base}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ checks: { database: 'ok', bus: 'broker unreachable' } });
  });
});

function rawRequest(base: string, text: string): Promise<string> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let out = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', chunk => {
      out += chunk;
    });
    socket.on('close', () => resolve(out));
    socket.on('error', error => (out ? resolve(out) : reject(error)));
  });
}

describe('a database that is away', () => {
  it("is 503 with the request's id and an error in the log, and never the client's fault", async () => {
    // What mysql2 says of a connection that is gone.
    const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', fatal: true });
    const lines: string[] = [];
    const log = createLogger({ write: line => void lines.push(line) });
    const app = sample({ world: { ...world, log }, unavailable: error => error === lost });
    app.server.get('/rows', () => Promise.reject(lost));
    app.server.get('/full', () =>
      Promise.reject(
        new Error('no write', { cause: Object.assign(new Error('full'), { code: 'SQLITE_FULL' }) }),
      ),
    );
    app.server.get('/other', () =>
      Promise.reject(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })),
    );
    const at = await app.listen({ host: '127.0.0.1', port: 0 });
    const answer = await fetch(`http://${at}/rows`);
    const id = answer.headers.get('x-request-id')!;
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain(id);
    expect(lines.some(line => line.includes('"level":"error"') && line.includes(id))).toBe(true);
    // A full disk is no error of the program, and the client is told what it is.
    const told = await fetch(`http://${at}/full`);
    expect(told.status).toBe(503);
    expect(await told.text()).toContain('its disk is full');
    // Another server's reset is an error of ours.
    expect((await fetch(`http://${at}/other`)).status).toBe(500);
  });
});

it('a client who leaves before his request is read is no error of ours', async () => {
  const lines: string[] = [];
  const log = createLogger({ write: line => void lines.push(line) });
  const app = sample({ world: { ...world, log } });
  const came = Promise.withResolvers<void>();
  const read = Promise.withResolvers<unknown>();
  app.server.post('/late', { config: { stream: true } }, async request => {
    came.resolve();
    // All of it is there by then, and nobody at the other end.
    await new Promise(resolve => request.raw.once('error', () => {}).once('close', resolve));
    try {
      for await (const _chunk of request.body as AsyncIterable<Buffer>);
      return 'read';
    } catch (error) {
      read.resolve(error);
      throw error;
    }
  });
  const at = await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect(Number(at.split(':').at(-1)), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc');
  await came.promise;
  socket.destroy();
  expect(await read.promise).toMatchObject({ message: 'aborted' });
  await fetch(`http://${at}/echo`, { method: 'POST', body: 'next' });
  await expect.poll(() => lines.join('')).toContain('"path":"/echo"');
  expect(lines.join('')).not.toContain('unexpected error');
});
