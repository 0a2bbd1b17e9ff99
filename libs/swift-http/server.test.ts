import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { run } from '@folsom/host/run';
import { afterEach, expect, it } from 'vitest';
import { answer, readAll, type ServerHandler } from './message.ts';
import { createHttpServer, type HttpServer } from './server.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
let server: HttpServer | null = null;

afterEach(async () => {
  await server?.close(100);
  server = null;
});

async function serve(handler: ServerHandler, clientTimeoutMs?: number): Promise<number> {
  server = createHttpServer({ handler, world, ...(clientTimeoutMs ? { clientTimeoutMs } : {}) });
  return Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
}

/**
 * Sends raw bytes (pieces with pauses between; a pattern waits for what comes back), returns all that comes back until
 * the server closes.
 */
function talk(port: number, pieces: (string | RegExp)[], halfClose = true): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    let heard: (() => void) | null = null;
    socket.setTimeout(5000, () => reject(new Error(`no end; got ${text}`)));
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      heard?.();
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(text);
    });
    socket.on('error', reject);
    const next = (): void => {
      const piece = pieces[0];
      if (piece instanceof RegExp) {
        heard = piece.test(text) ? null : next;
        if (heard) return;
      }
      pieces.shift();
      if (piece === undefined) {
        if (halfClose) socket.end();
        return;
      }
      if (typeof piece === 'string') socket.write(piece, 'latin1');
      setTimeout(next, 15);
    };
    next();
  });
}

const echo: ServerHandler = async request => {
  const body = await readAll(request.body, 1_000_000);
  return answer(200, request, { body: `${request.method} ${request.target} ${body?.toString('latin1')}` });
};

it('takes any method, also those no standard knows', async () => {
  const port = await serve(echo);
  const text = await talk(port, ['REPLICATE /sda/1/abc HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n[1]']);
  expect(text).toContain('200 OK');
  expect(text).toContain('REPLICATE /sda/1/abc [1]');
});

it('answers requests one after the other on one connection, split at any byte', async () => {
  const port = await serve(echo);
  const text = await talk(port, [
    'GET /a HTT',
    'P/1.1\r\nHost: x\r\n\r\nPUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab',
    'c\r\n0\r',
    '\n\r\nGET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  ]);
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  expect(text).toContain('PUT /b abc');
  expect(text).toContain('GET /c ');
});

it('sends 100 Continue only when the body is wanted', async () => {
  const port = await serve(async request =>
    request.target === '/no' ? answer(401, request) : echo(request),
  );
  const head = 'Host: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
  expect(await talk(port, [`PUT /yes HTTP/1.1\r\n${head}`, /100 Continue/, 'hi'])).toMatch(
    /^HTTP\/1\.1 100 Continue[\s\S]*200 OK[\s\S]*hi$/,
  );
  const refused = await talk(port, [`PUT /no HTTP/1.1\r\n${head}`]);
  expect(refused).toMatch(/^HTTP\/1\.1 401/);
  expect(refused).toContain('Connection: close');
});

it('says 100 Continue for an empty body, too, unless the device is full', async () => {
  const port = await serve(async request => answer(request.target === '/full' ? 507 : 201, request));
  const head = 'Host: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n';
  expect(await talk(port, [`PUT /o HTTP/1.1\r\n${head}`])).toMatch(
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201/,
  );
  expect(await talk(port, [`PUT /full HTTP/1.1\r\n${head}`])).toMatch(/^HTTP\/1\.1 507/);
});

it('tells the handler that the client went away in the middle of its body, and still answers', async () => {
  const port = await serve(async request => {
    try {
      return await echo(request);
    } catch (error) {
      return answer(499, request, { body: (error as Error).name });
    }
  });
  expect(await talk(port, ['PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort'])).toContain(
    '499 Client Disconnect',
  );
});

it('gives up on a client that is silent within its body', async () => {
  const port = await serve(async request => {
    try {
      return await echo(request);
    } catch (error) {
      return answer(408, request, { body: (error as Error).name });
    }
  }, 300);
  expect(await talk(port, ['PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc'], false)).toContain(
    'ClientTimeout',
  );
});

it.each([
  ['another protocol', 'GET / HTTP/2.0\r\n\r\n', '400'],
  ['no target', 'GET  HTTP/1.1\r\n\r\n', '400'],
  ['a header name with a space', 'GET / HTTP/1.1\r\nBad Name: x\r\n\r\n', '400'],
  ['a space before the colon', 'GET / HTTP/1.1\r\nA : x\r\n\r\n', '400'],
  ['a folded header', 'GET / HTTP/1.1\r\n folded\r\n\r\n', '400'],
  ['a length below zero that is zero', 'PUT / HTTP/1.1\r\nContent-Length: -0\r\n\r\n', '400'],
  ['a length that is no number', 'PUT / HTTP/1.1\r\nContent-Length: abc\r\n\r\n', '400'],
  ['two lengths', 'PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', '400'],
  ['a target that is no path', 'GET a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n', '400'],
  ['a target that begins with a star', 'GET *a HTTP/1.1\r\n\r\n', '400'],
  ['a line feed in the target', 'GET /a\nX-Evil:1 HTTP/1.1\r\n\r\n', '400'],
  ['a tab in the target', 'GET /a\tb HTTP/1.1\r\n\r\n', '400'],
  ['a NUL in the target', 'GET /a\0b HTTP/1.1\r\n\r\n', '400'],
  ['a control byte in a header', 'GET / HTTP/1.1\r\nA: x\x01y\r\n\r\n', '400'],
  ['lines that end in a line feed', 'GET / HTTP/1.1\nHost: x\n\n', '400'],
  ['too many headers', `GET / HTTP/1.1\r\n${'A:1\r\n'.repeat(1001)}\r\n`, '400'],
  ['a target without end', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n\r\n`, '414'],
  ['headers without end', `GET / HTTP/1.1\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`, '400'],
])('refuses %s', async (_what, text, status) => {
  const port = await serve(echo);
  const told = await talk(port, [text]);
  expect(told).toMatch(new RegExp(`^HTTP/1\\.0 ${status} `));
  expect(told).toContain('X-Content-Type-Options: nosniff');
});

it.each([
  ['framed twice', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400'],
  ['of two equal lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n\r\nab', '400'],
  ['of an unknown coding', 'Transfer-Encoding: gzip\r\n\r\n', '200'],
  ['with a sign in a size', 'Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n', '400'],
  ['with a negative size', 'Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n', '400'],
  ['with a bare line feed', 'Transfer-Encoding: chunked\r\n\r\n0\n\n', '400'],
  ['with a chunk that is too long', 'Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n', '400'],
  ['with a size beyond all numbers', `Transfer-Encoding: chunked\r\n\r\n${'F'.repeat(17)}5\r\n`, '400'],
  ['with a long extension', `Transfer-Encoding: chunked\r\n\r\n0;${'x'.repeat(5000)}\r\n\r\n`, '400'],
  [
    'with long trailers',
    `Transfer-Encoding: chunked\r\n\r\n0\r\n${`A: ${'x'.repeat(900)}\r\n`.repeat(20)}`,
    '400',
  ],
  ['with many trailers', `Transfer-Encoding: chunked\r\n\r\n0\r\n${'A: 1\r\n'.repeat(101)}\r\n`, '400'],
  ['with a blank behind a size', 'Transfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n', '400'],
  ['with framing in a trailer', 'Transfer-Encoding: chunked\r\n\r\n0\r\ncontent-length: 9\r\n\r\n', '400'],
  ["with a size as Python's hex() has it", 'Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n', '200'],
])('never takes a second request out of a body %s', async (_what, rest, status) => {
  const seen: string[] = [];
  const port = await serve(async request => {
    seen.push(request.target);
    return echo(request);
  });
  const text = await talk(port, [`PUT /one HTTP/1.1\r\n${rest}GET /smuggled HTTP/1.1\r\n\r\n`]);
  expect(text).toMatch(new RegExp(`^HTTP/1\\.[01] ${status} `));
  expect(seen).not.toContain('/smuggled');
});

it('cuts off a head that comes byte by byte, counted from its first', async () => {
  server = createHttpServer({ handler: echo, world, headMsMax: 1200 });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const head = [...`GET / HTTP/1.1\r\n${'X-Slow: 1\r\n'.repeat(40)}`];
  expect(await talk(port, head, false)).toMatch(/^HTTP\/1\.0 408 /);
});

it('cuts off a reader that takes nothing', async () => {
  let cancelled = false;
  server = createHttpServer({
    handler: async () => ({
      status: 200,
      headers: new Map(),
      body: {
        read: async () => Buffer.alloc(262_144),
        cancel: () => {
          cancelled = true;
        },
      },
    }),
    world,
    writeStallMs: 300,
  });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\n\r\n');
  socket.pause();
  await expect.poll(() => [server!.connections, cancelled]).toEqual([0, true]);
  socket.destroy();
});

it('answers a request that is followed by something else, then closes', async () => {
  const port = await serve(echo);
  const text = await talk(port, ['DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n{"not": "announced"}'], false);
  expect(text).toMatch(/^HTTP\/1\.1 200 .*Connection: close.*DELETE \/a $/s);
});

it('keeps line breaks out of the headers it sends', async () => {
  const port = await serve(async request =>
    answer(200, request, { body: 'x', headers: [['x-echo', 'a\r\nSet-Cookie: b']] }),
  );
  expect(await talk(port, ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n'])).not.toMatch(/^Set-Cookie/m);
});

it('cuts the connection when a body breaks off, so that the client knows', async () => {
  const port = await serve(async () => {
    let sent = false;
    return {
      status: 200,
      headers: new Map([['content-length', '10']]),
      body: {
        read: async () => {
          if (sent) throw new Error('disk gone');
          sent = true;
          return Buffer.from('abc');
        },
        cancel: () => {},
      },
    };
  });
  expect(await talk(port, ['GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n'])).toMatch(/\r\n\r\nabc$/);
});

it('serves everybody who was connected when it stops, then refuses', async () => {
  const port = await serve(echo);
  // The kernel has these connections by now; the server has not yet heard of any.
  const asked = Array.from({ length: 200 }, () =>
    talk(port, ['PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi']),
  );
  const stopped = server!.close();
  for (const text of await Promise.all(asked)) expect(text).toMatch(/^HTTP\/1.1 200 .*PUT \/a hi$/s);
  await stopped;
  await expect(talk(port, ['GET / HTTP/1.1\r\n\r\n'])).rejects.toThrow('ECONNREFUSED');
});

it('with a certificate and a key it speaks TLS, and outlives those that do not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost';
  await run(['openssl', ...request.split(' '), '-keyout', key, '-out', cert], { timeoutMs: 30_000 });
  const keys = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  rmSync(folder, { recursive: true });
  server = createHttpServer({ handler: echo, world, tls: keys });
  const port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  const plain = net.connect({ port, host: '127.0.0.1' });
  plain.on('error', () => {});
  plain.write('GET / HTTP/1.1\r\n\r\n');
  const text = await new Promise<string>((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: keys.cert, servername: 'localhost' });
    let got = '';
    socket.on('data', chunk => {
      got += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(got));
    socket.on('error', reject);
    socket.write('PUT /sda HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello');
  });
  expect(text).toContain('200 OK');
  expect(text).toContain('PUT /sda hello');
  plain.destroy();
});
