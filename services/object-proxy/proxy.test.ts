import net from 'node:net';
import { answer } from '@folsom/swift-http';
import { afterEach, describe, expect, it } from 'vitest';
import { testProxy } from './test-nodes.ts';

type Proxy = Awaited<ReturnType<typeof testProxy>>;
let proxy: Proxy;
afterEach(() => proxy.stop());

const OBJECT = '/v1/a/c/o';
const LARGE = Buffer.alloc(3 * 1024 * 1024, 'x');
const holders = (): number[] =>
  proxy.nodes.map(({ objects }, index) => (objects.has('/a/c/o') ? index : -1)).filter(index => index >= 0);

describe('writes', () => {
  it.each([
    ['small', Buffer.from('hello')],
    ['large', LARGE],
  ])('go to every replica (%s)', async (_size, body) => {
    proxy = await testProxy();
    const put = await proxy.ask('PUT', OBJECT, {}, body);
    expect(put.status).toBe(201);
    expect(put.headers.get('etag')).toMatch(/^\w{32}$/);
    expect(holders()).toEqual([0, 1, 2]);
    for (const node of proxy.nodes) expect(node.objects.get('/a/c/o')!.body.equals(body)).toBe(true);
  });

  it.each([
    ['small', Buffer.from('hello')],
    ['large', LARGE],
  ])('take a handoff for a node that is down (%s)', async (_size, body) => {
    proxy = await testProxy({ nodes: 5 });
    await proxy.nodes[1]!.down();
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    expect(holders()).toHaveLength(3);
    expect(holders()).not.toContain(1);
  });

  it.each([
    ['small', Buffer.from('hello')],
    ['large', LARGE],
  ])('succeed with two of three and fail with one (%s)', async (_size, body) => {
    proxy = await testProxy();
    await proxy.ask('HEAD', '/v1/a/c');
    await proxy.nodes[0]!.down();
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(201);
    await proxy.nodes[1]!.down();
    expect((await proxy.ask('PUT', OBJECT, {}, body)).status).toBe(503);
  });

  it('leave a full device alone from then on', async () => {
    proxy = await testProxy({ nodes: 4 });
    await proxy.ask('HEAD', '/v1/a/c');
    proxy.nodes[0]!.intercept = request => (request.method === 'PUT' ? answer(507, request) : null);
    expect((await proxy.ask('PUT', OBJECT, {}, 'x')).status).toBe(201);
    expect(holders()).toEqual([1, 2, 3]);
    const seen = proxy.nodes[0]!.requests.length;
    await proxy.ask('PUT', '/v1/a/c/other', {}, 'x');
    expect(proxy.nodes[0]!.requests.length).toBe(seen);
  });

  it('tell each object node of another container node', async () => {
    proxy = await testProxy();
    await proxy.ask('PUT', OBJECT, { 'X-Delete-After': '100' }, 'x');
    const told = proxy.nodes.map(({ requests }) => requests.find(({ method }) => method === 'PUT')!.headers);
    expect(new Set(told.map(headers => headers.get('x-container-host'))).size).toBe(3);
    expect(new Set(told.map(headers => headers.get('x-delete-at-host'))).size).toBe(3);
    expect(told[0]!.has('x-auth-token')).toBe(false);
  });

  it('are not acknowledged when the nodes disagree about the bytes', async () => {
    proxy = await testProxy();
    proxy.nodes[2]!.intercept = request =>
      request.method === 'PUT' ? answer(201, request, { headers: [['etag', 'other']] }) : null;
    expect((await proxy.ask('PUT', OBJECT, {}, 'x')).status).toBe(500);
  });

  it('survive one node failing in the middle, not two', async () => {
    proxy = await testProxy();
    await proxy.ask('HEAD', '/v1/a/c');
    const breakOff = (index: number): void => {
      proxy.nodes[index]!.intercept = request =>
        request.method === 'PUT'
          ? request.body.read().then(() => {
              void proxy.nodes[index]!.down();
              return new Promise<never>(() => {});
            })
          : null;
    };
    breakOff(0);
    expect((await proxy.ask('PUT', OBJECT, {}, LARGE)).status).toBe(201);
    breakOff(1);
    expect((await proxy.ask('PUT', OBJECT, {}, LARGE)).status).toBe(503);
  });

  it('answer 499 to a client that stops in the middle, and keep nothing', async () => {
    proxy = await testProxy();
    for (const [length, sent] of [
      [100, 'short'],
      [1_000_000, 'y'.repeat(200_000)],
    ] as const) {
      const text = await new Promise<string>(resolve => {
        const socket = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
        let got = '';
        socket.on('data', chunk => {
          got += chunk;
        });
        socket.on('end', () => {
          socket.destroy();
          resolve(got);
        });
        socket.write(`PUT ${OBJECT} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${sent}`);
        socket.end();
      });
      expect(text).toMatch(/^HTTP\/1\.1 499 /);
      expect(holders()).toEqual([]);
    }
  });
});

describe('reads', () => {
  it('go on to the next replica when one is down or does not have it', async () => {
    proxy = await testProxy();
    await proxy.ask('PUT', OBJECT, {}, 'data');
    proxy.nodes[0]!.objects.clear();
    await proxy.nodes[1]!.down();
    for (let i = 0; i < 8; i++) expect((await proxy.ask('GET', OBJECT)).text).toBe('data');
  });

  it('go on from another replica when one fails in the middle of the body', async () => {
    proxy = await testProxy();
    const body = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i % 251));
    await proxy.ask('PUT', OBJECT, {}, body);
    const cutAfter = (count: number) => {
      for (const node of proxy.nodes) {
        node.intercept = request => {
          if (request.method !== 'GET' || request.headers.has('range')) return null;
          let sent = false;
          const stored = node.objects.get('/a/c/o')!;
          return {
            status: 200,
            headers: new Map([
              ['content-length', String(body.length)],
              ['etag', stored.headers.get('etag')!],
            ]),
            body: {
              read: async () => {
                if (sent) throw new Error('disk gone');
                sent = true;
                return body.subarray(0, count);
              },
              cancel: () => {},
            },
          };
        };
      }
    };
    for (const count of [1, 1000, 70_000]) {
      cutAfter(count);
      expect((await proxy.ask('GET', OBJECT)).body.equals(body)).toBe(true);
    }
  });

  it('give the newest of all replicas when asked to', async () => {
    proxy = await testProxy();
    proxy.nodes.forEach(({ objects }, index) => {
      const headers = new Map([
        ['etag', 'e'],
        ['x-timestamp', String(index === 1 ? 9 : index)],
      ]);
      objects.set('/a/c/o', { body: Buffer.from(`copy ${index}`), headers });
    });
    for (let i = 0; i < 5; i++)
      expect((await proxy.ask('GET', OBJECT, { 'X-Newest': 'true' })).text).toBe('copy 1');
  });

  it('say 404 only when most replicas say so, else 503', async () => {
    proxy = await testProxy();
    expect((await proxy.ask('GET', OBJECT)).status).toBe(404);
    await proxy.ask('HEAD', '/v1/a/c');
    await proxy.nodes[0]!.down();
    await proxy.nodes[1]!.down();
    expect((await proxy.ask('GET', OBJECT)).status).toBe(404);
    for (const node of proxy.nodes) node.intercept = request => answer(500, request);
    expect((await proxy.ask('GET', OBJECT)).status).toBe(503);
  });

  it('stop asking a node that fails all the time', async () => {
    proxy = await testProxy({ app: 'error_suppression_limit = 3' });
    await proxy.ask('PUT', OBJECT, {}, 'x');
    const bad = proxy.nodes[0]!;
    bad.intercept = request => answer(500, request);
    for (let i = 0; i < 40; i++) expect((await proxy.ask('GET', OBJECT)).status).toBe(200);
    expect(bad.requests.filter(({ method }) => method === 'GET').length).toBeLessThanOrEqual(4);
  });
});

describe('large objects', () => {
  const segments = ['aaaaa', 'bbbbb', 'ccc'];
  const listing = JSON.stringify(
    segments.map((text, index) => ({
      name: `seg/${index}`,
      bytes: text.length,
      hash: `h${index}`,
      last_modified: '2012-09-27T10:00:00.000000',
    })),
  );
  const prepare = async () => {
    proxy = await testProxy({ app: 'rate_limit_after_segment = 100' });
    for (const [index, text] of segments.entries())
      await proxy.ask('PUT', `/v1/a/parts/seg/${index}`, {}, text);
    await proxy.ask('PUT', OBJECT, { 'X-Object-Manifest': 'parts/seg/' }, '');
    for (const node of proxy.nodes) {
      node.intercept = request =>
        request.target.includes('format=json')
          ? answer(200, request, {
              body: request.target.includes('marker=seg') ? '[]' : listing,
              headers: [['x-put-timestamp', '1']],
            })
          : null;
    }
  };

  it('are the segments one after the other', async () => {
    await prepare();
    const whole = await proxy.ask('GET', OBJECT);
    expect(whole.text).toBe('aaaaabbbbbccc');
    expect(whole.headers.get('content-length')).toBe('13');
    expect(whole.headers.get('etag')).toMatch(/^"\w{32}"$/);
    expect((await proxy.ask('HEAD', OBJECT)).headers.get('content-length')).toBe('13');
  });

  it.each([
    ['bytes=0-0', 'a'],
    ['bytes=4-5', 'ab'],
    ['bytes=5-9', 'bbbbb'],
    ['bytes=3-11', 'aabbbbbcc'],
    ['bytes=10-', 'ccc'],
    ['bytes=-4', 'bccc'],
    ['bytes=12-99', 'c'],
  ])('are served in part (%s)', async (range, text) => {
    await prepare();
    const part = await proxy.ask('GET', OBJECT, { Range: range });
    expect(part.status).toBe(206);
    expect(part.text).toBe(text);
    expect(part.headers.get('content-length')).toBe(String(text.length));
  });

  it('answer 416 and 304 where fitting', async () => {
    await prepare();
    expect((await proxy.ask('GET', OBJECT, { Range: 'bytes=13-' })).status).toBe(416);
    const etag = (await proxy.ask('HEAD', OBJECT)).headers.get('etag')!;
    expect((await proxy.ask('GET', OBJECT, { 'If-None-Match': etag })).status).toBe(304);
  });
});

describe('middleware', () => {
  it('slows writers down and refuses those that will not be slowed', async () => {
    proxy = await testProxy({ filters: 'ratelimit' });
    const started = performance.now();
    const statuses = await Promise.all(Array.from({ length: 8 }, (_, i) => proxy.ask('PUT', `/v1/a/c${i}`)));
    expect(performance.now() - started).toBeGreaterThan(400);
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([201, 498]));
    const black = await proxy.ask('GET', '/v1/black/c');
    expect([black.status, black.text]).toEqual([497, 'Your account has been blacklisted']);
  });

  it('maps domains, also by way of their CNAME', async () => {
    proxy = await testProxy({
      filters: 'cname_lookup domain_remap',
      cname: { 'www.mine.net': 'c.AUTH_a.example.com' },
    });
    for (const node of proxy.nodes) {
      node.objects.set('/AUTH_a/c/o', { body: Buffer.from('page'), headers: new Map([['etag', 'e']]) });
    }
    expect((await proxy.ask('GET', '/o', { Host: 'c.AUTH-a.example.com' })).text).toBe('page');
    expect((await proxy.ask('GET', '/o', { Host: 'www.mine.net:8080' })).text).toBe('page');
    expect((await proxy.ask('GET', '/o', { Host: 'nowhere.net' })).text).toBe(
      'CNAME lookup failed to resolve to a valid domain',
    );
    expect((await proxy.ask('GET', '/o', { Host: 'a.b.c.example.com' })).text).toBe(
      'Bad domain in host header',
    );
  });

  it('checks names', async () => {
    proxy = await testProxy({ filters: 'healthcheck name_check' });
    expect((await proxy.ask('GET', '/healthcheck')).text).toBe('OK');
    expect((await proxy.ask('PUT', '/v1/a/c/x%3Cy', {}, 'x')).text).toContain('forbidden chars');
    expect((await proxy.ask('PUT', `/v1/a/c/${'x'.repeat(255)}`, {}, 'x')).text).toContain(
      'longer than the allowed maximum 255',
    );
    expect((await proxy.ask('PUT', '/v1/a/c/../d', {}, 'x')).text).toContain('forbidden substring');
  });
});
