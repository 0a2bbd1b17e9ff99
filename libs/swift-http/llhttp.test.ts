import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import net from 'node:net';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { internalText } from './calls.ts';
import { createInternalClient } from './client.ts';
import { lowerName, readAll } from './message.ts';
import { createHttpServer, type HttpServer } from './server.ts';

/** Our codec beside node's parser: whatever both of them accept they read alike. */
interface Read {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
}

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const ours: Read[] = [];
const theirs: Read[] = [];
let our: HttpServer;
let their: Server;
let ourPort: number;
let theirPort: number;

const NOT_COMPARED = new Set(['connection', 'transfer-encoding', 'content-length', 'host', 'expect']);
const comparable = (headers: Iterable<[string, string]>): [string, string][] =>
  [...headers].filter(([name]) => name.startsWith('x-') && !NOT_COMPARED.has(name)).sort();

beforeAll(async () => {
  our = createHttpServer({
    world,
    handler: async ({ method, target, headers, body }) => {
      const bytes = await readAll(body, 1_000_000);
      ours.push({ method, target, headers: comparable(headers), body: bytes?.toString('latin1') ?? '' });
      return { status: 200, headers: new Map(), body: null };
    },
  });
  ourPort = Number((await our.listen(0, '127.0.0.1')).split(':')[1]);
  their = createServer(async (message: IncomingMessage, response) => {
    try {
      let body = '';
      for await (const chunk of message) body += (chunk as Buffer).toString('latin1');
      theirs.push({
        method: message.method ?? '',
        target: message.url ?? '',
        headers: comparable(joined(message.rawHeaders)),
        body,
      });
      response.end();
    } catch {
      response.destroy();
    }
  }).listen(0, '127.0.0.1');
  await once(their, 'listening');
  theirPort = (their.address() as net.AddressInfo).port;
});

afterAll(async () => {
  await our.close(100);
  their.closeAllConnections();
  their.close();
});

function joined(raw: string[]): Map<string, string> {
  const out = new Map<string, string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = lowerName(raw[i]!);
    const before = out.get(name);
    out.set(name, before === undefined ? raw[i + 1]! : `${before},${raw[i + 1]}`);
  }
  return out;
}

/** The status of the first answer; 0 if there was none. */
function say(port: number, text: string): Promise<number> {
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      socket.write(text, 'latin1');
      socket.end();
    });
    let got = '';
    const end = (): void => {
      socket.destroy();
      resolve(
        Number(/^HTTP\/1\.[01] (\d{3})/.exec(got.replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, ''))?.[1] ?? 0),
      );
    };
    socket.on('data', chunk => {
      got += chunk.toString('latin1');
    });
    socket.on('end', end);
    socket.on('error', end);
    socket.setTimeout(10_000, end);
  });
}

const bytes = (from: number, to: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.integer({ min: from, max: to }).map(code => String.fromCharCode(code)),
    maxLength: 12,
  });
/** What is well formed comes up much more often, so that most messages are odd in one place only. */
const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: odd });
const word = fc.stringMatching(/^[a-z0-9%._~-]{0,12}$/);
const oddText = mostly(
  fc.oneof(word, bytes(0x21, 0x7e), bytes(0x80, 0xff)),
  fc.oneof(bytes(0x20, 0xff), bytes(0, 0xff)),
);
const lineEnd = mostly(fc.constant('\r\n'), fc.constantFrom('\n', '\r', '\r\n ', '\r\n\r\n'));
const header = mostly(
  fc.tuple(fc.constantFrom('X-A', 'x-b', 'X-C'), oddText).map(([name, value]) => `${name}: ${value}`),
  fc.tuple(oddText, oddText).map(([name, value]) => `X-${name}:${value}`),
);
const size = mostly(
  fc.constantFrom('3', '03', '3;a=b', '0003', '3;'),
  fc.constantFrom('0x3', '+3', '-3', '3 ', ' 3', '3g', '', 'FFFFFFFFFFFFFFFF3'),
);
const chunked = fc
  .tuple(size, lineEnd, mostly(fc.constantFrom('', 'X: y\r\n'), fc.constant('bad\r\n')))
  .map(([text, end, trailer]) => [
    'Transfer-Encoding: chunked\r\n',
    `${text}${end}abc\r\n0\r\n${trailer}\r\n`,
  ]);
const body = fc.oneof(
  fc.constant(['Content-Length: 0\r\n', '']),
  fc.constant(['Content-Length: 3\r\n', 'abc']),
  fc.constant(['Content-Length: 003\r\n', 'abc']),
  chunked,
  chunked,
  fc
    .constantFrom('3\r\nContent-Length: 3', '3\r\nContent-Length: 4', '+3', '-3', '3,3', '0x3', '3 3', '')
    .map(length => [`Content-Length: ${length}\r\n`, 'abc']),
  fc.constant(['Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n']),
  fc
    .constantFrom('Chunked', ' chunked', 'chunked, chunked', 'gzip, chunked', 'xchunked', 'identity')
    .map(coding => [`Transfer-Encoding: ${coding}\r\n`, '3\r\nabc\r\n0\r\n\r\n']),
);
const hostile = fc
  .tuple(
    mostly(fc.constantFrom('GET', 'PUT', 'POST'), fc.constantFrom('G T', 'get', '')),
    oddText,
    mostly(fc.constantFrom('HTTP/1.1', 'HTTP/1.0'), fc.constantFrom('HTTP/1.2', 'HTTP/2.0', 'http/1.1', '')),
    lineEnd,
    fc.array(fc.tuple(header, lineEnd), { maxLength: 4 }),
    body,
  )
  .map(
    ([method, path, version, end, headers, [framing, payload]]) =>
      `${method} /${path} ${version}${end}Host: x\r\n${headers.map(([text, e]) => text + e).join('')}` +
      `Connection: close\r\n${framing}\r\n${payload}`,
  );

it('requests', async () => {
  let both = 0;
  await fc.assert(
    fc.asyncProperty(hostile, async text => {
      ours.length = 0;
      theirs.length = 0;
      const [our, their] = await Promise.all([say(ourPort, text), say(theirPort, text)]);
      if (our !== 200 || their !== 200) return;
      both += 1;
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 600 },
  );
  expect(both).toBeGreaterThan(60);
});

it('answers', async () => {
  let text = '';
  const raw = net.createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(text, 'latin1'));
  });
  raw.listen(0, '127.0.0.1');
  await once(raw, 'listening');
  const { port } = raw.address() as net.AddressInfo;
  const client = createInternalClient({ clock: systemClock });
  const fromUs = async (): Promise<unknown> => {
    const call = { method: 'GET', path: '/', headers: [], connectTimeoutMs: 5000, timeoutMs: 5000 };
    const response = await client.request({ ip: '127.0.0.1', port }, call);
    const whole = await internalText(response);
    return [response.status, comparable(response.headers), whole.toString('latin1')];
  };
  const fromNode = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, agent: false }, async response => {
        try {
          let got = '';
          for await (const chunk of response) got += (chunk as Buffer).toString('latin1');
          resolve([response.statusCode, comparable(joined(response.rawHeaders)), got]);
        } catch (error) {
          reject(error as Error);
        }
      });
      asked.on('error', reject);
      asked.setTimeout(5000, () => asked.destroy(new Error('no answer')));
      asked.end();
    });
  let both = 0;
  const answers = fc
    .tuple(
      fc.constantFrom(
        'HTTP/1.1 200 OK',
        'HTTP/1.1 200 OK',
        'HTTP/1.1 404',
        'HTTP/1.0 200 OK',
        'HTTP/1.1 2x0',
        'X',
      ),
      fc.array(fc.tuple(header, lineEnd), { maxLength: 4 }),
      body,
    )
    .map(
      ([first, headers, [framing, payload]]) =>
        `${first}\r\n${headers.map(([line, e]) => line + e).join('')}${framing}\r\n${payload}`,
    );
  await fc.assert(
    fc.asyncProperty(answers, async made => {
      text = made;
      const [us, node] = await Promise.allSettled([fromUs(), fromNode()]);
      if (us.status !== 'fulfilled' || node.status !== 'fulfilled') return;
      both += 1;
      expect(us.value).toEqual(node.value);
    }),
    { numRuns: 400 },
  );
  expect(both).toBeGreaterThan(40);
  client.close();
  raw.close();
});
