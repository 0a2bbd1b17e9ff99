import { connect } from 'node:net';
import { imageHeaders, startThrowaway, type Throwaway } from '@folsom/image/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Longest any answer may take. */
const ANSWER_MS = 20_000;
const PATCH = 'application/openstack-images-v2.0-json-patch';

describe('bad input to every route of the image services', () => {
  let image: Throwaway;
  let foreign: string;
  let own: string;
  beforeAll(async () => {
    image = await startThrowaway();
    const make = async (user: string) =>
      (await image.call('POST', '/v1/images', { user, headers: imageHeaders(), body: 'data' })).json().image
        .id as string;
    own = await make('alice');
    foreign = await make('bob');
  });
  afterAll(() => image.stop());

  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const bodies: [string, string][] = [
    ['no JSON', '{bad'],
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '7'],
    ['a text', '"x"'],
    ['an array', '[]'],
    ['an array of nothing', '[null]'],
    ['an empty object', '{}'],
    [
      'wrong types',
      '{"image": 7, "member": 7, "memberships": 7, "name": {}, "tags": 7, "id": [], "visibility": 1}',
    ],
    [
      'wrong types inside',
      '{"image": {"name": {}, "size": "x", "status": [], "properties": [1], "min_disk": 1e99, "owner": {}, "id": {}}}',
    ],
    ['unknown fields', '{"image": {"__proto__": {"x": 1}, "constructor": 1, "bogus": 1}, "bogus": {}}'],
    ['members that are none', '{"memberships": [null, 7, {}, {"member_id": {}}, {"member_id": "x"}]}'],
    ['patches that are none', '[7, null, {"replace": 7}, {"add": "/__proto__", "value": {}}]'],
    ['XML with an entity', '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'],
    ['deep nesting', deep],
    ['broken UTF-8', Buffer.from([0xff, 0xfe, 0x7b]).toString('latin1')],
    ['too much', JSON.stringify({ name: 'x'.repeat(200_000) })],
  ];
  const ids = () => [
    own,
    foreign,
    'nosuch',
    '00000000-0000-0000-0000-000000000000',
    '..%2F..%2Fetc%2Fpasswd',
    '%00',
    "';DROP TABLE images;--",
    '%F0%9F%98%80',
    'x'.repeat(3000),
    '__proto__',
  ];

  const check = (what: string, answer: { status: number; text: string }) => {
    expect(answer.status, `${what}: ${answer.text.slice(0, 200)}`).toBeLessThan(500);
    expect(answer.text, what).not.toMatch(/\n {4}at |SQLITE|node_modules|Error:/);
    // Nobody else's image shows.
    expect(answer.text.includes('tenant-bob'), what).toBe(false);
  };

  it('is answered with a fault of the service, never a 500, never silence', {
    timeout: 300_000,
  }, async () => {
    const routes = image.routes.filter(route => route.method !== 'HEAD' || route.path.includes('images'));
    expect(routes.length).toBeGreaterThan(40);
    let asked = 0;
    for (const { to, method, path } of routes) {
      if (!['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method)) continue;
      // Deleting our own image would end the test of the others.
      const names = ids().filter(id => !(method === 'DELETE' && id === own));
      const paths = path.includes(':')
        ? names.map(id => path.replace(/:\w+/, id).replace(/:\w+/, 'tenant-x'))
        : [path];
      for (const target of paths) {
        const withBody = ['POST', 'PUT', 'PATCH'].includes(method);
        for (const [what, body] of withBody ? bodies : [['no body', '']]) {
          const type = method === 'PATCH' ? PATCH : 'application/json';
          const sent = image.call(method, target, {
            to,
            headers: { 'content-type': type },
            ...(withBody ? { body: Buffer.from(body!, 'latin1') } : {}),
          });
          const late = new Promise<never>((_resolve, reject) =>
            setTimeout(
              () => reject(new Error(`no answer: ${method} ${target} with ${what}`)),
              ANSWER_MS,
            ).unref(),
          );
          check(`${to} ${method} ${target.slice(0, 80)} with ${what}`, await Promise.race([sent, late]));
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(500);
    expect((await image.call('GET', `/v1/images/${own}`)).text).toBe('data');
    expect((await image.call('GET', `/v1/images/${foreign}`, { user: 'bob' })).text).toBe('data');
  });

  it('in queries and headers of version 1', async () => {
    const values = [
      '',
      '-1',
      'abc',
      '1e999',
      '99999999999999999999',
      '%00',
      "' OR 1=1 --",
      '%FF',
      'None',
      '[]',
      'x'.repeat(2000),
    ];
    const names = [
      'limit',
      'marker',
      'sort_key',
      'sort_dir',
      'is_public',
      'deleted',
      'protected',
      'size_min',
      'size_max',
      'min_ram',
      'min_disk',
      'changes-since',
      'name',
      'status',
      'property-x',
      'foo_min',
      'location',
      'visibility',
      '__proto__',
    ];
    for (const to of ['api', 'registry'] as const) {
      for (const path of to === 'api'
        ? ['/v1/images', '/v1/images/detail', '/v2/images']
        : ['/images', '/images/detail']) {
        for (const name of names) {
          for (const value of values) {
            check(
              `${path}?${name}=${value}`,
              await image.call('GET', `${path}?${name}=${value}&${name}=${value}`, { to }),
            );
          }
        }
      }
    }
    for (const body of [
      '{"image": {"toString": 1, "valueOf": 2, "constructor": "x"}}',
      '{"image": {"id": {"toString": 1, "valueOf": 2}}}',
      '{"image": {"name": {"toString": 1}, "properties": {"toString": "x", "__proto__": "y"}}}',
    ]) {
      const headers = { 'content-type': 'application/json' };
      check(body, await image.call('POST', '/images', { to: 'registry', body, headers }));
    }
    for (const name of [
      'name',
      'size',
      'min_disk',
      'min_ram',
      'checksum',
      'owner',
      'id',
      'is_public',
      'protected',
      'disk_format',
      'store',
      'location',
      'property-',
      'property-x',
      'created_at',
      '__proto__',
      'bogus',
    ]) {
      for (const value of ['', '-1', 'abc', '9'.repeat(30), '\u00ff\u00fe', 'x'.repeat(5000), 'True', '{}']) {
        const headers = { ...imageHeaders(), [`x-image-meta-${name}`]: value };
        check(`POST ${name}: ${value}`, await image.call('POST', '/v1/images', { headers, body: 'x' }));
        const { 'content-type': _type, ...rest } = headers;
        check(`PUT ${name}: ${value}`, await image.call('PUT', `/v1/images/${own}`, { headers: rest }));
      }
    }
  });

  it('so that a client reads the answer that first sends all of a large body', async () => {
    const { hostname, port } = new URL(image.api);
    const socket = connect(Number(port), hostname);
    let answers = '';
    socket.on('data', data => {
      answers += data;
    });
    const send = (bytes: string | Buffer) =>
      new Promise<void>((resolve, reject) =>
        socket.write(bytes, error => (error ? reject(error) : resolve())),
      );
    const body = Buffer.alloc(24 * 1024 * 1024);
    for (const [token, header, status] of [
      ['alice', 'x-image-meta-disk_format: nosuch', 400],
      ['nobody', 'x-image-meta-name: n', 401],
      ['alice', 'x-image-meta-size: 1', 400],
    ] as const) {
      answers = '';
      const lines = [
        'POST /v1/images HTTP/1.1',
        'host: x',
        `x-auth-token: ${token}`,
        'content-type: application/octet-stream',
        `content-length: ${body.byteLength}`,
        header,
      ];
      await send(`${lines.join('\r\n')}\r\n\r\n`);
      await send(body);
      await expect.poll(() => answers, { timeout: ANSWER_MS }).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
    socket.destroy();
  });

  it('on the level of the connection', async () => {
    const { hostname, port } = new URL(image.api);
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(text, 'latin1')));
        let out = '';
        socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer')));
        socket.on('data', data => {
          out += data;
        });
        socket.on('close', () => resolve(out));
        socket.on('error', error => (out ? resolve(out) : reject(error)));
      });
    const head = 'Host: x\r\nX-Auth-Token: alice\r\nConnection: close\r\n';
    expect(await raw(`GET /v1/images HTTP/1.1\r\n${head}X-Big: ${'y'.repeat(20_000)}\r\n\r\n`)).toContain(
      ' 431 ',
    );
    expect(await raw(`GET /v1/images/%zz HTTP/1.1\r\n${head}\r\n`)).toMatch(/ 40[04] /);
    expect(await raw(`POST /v1/images HTTP/1.1\r\n${head}Content-Length: abc\r\n\r\n`)).toContain(' 400 ');
    expect(
      await raw(`POST /v1/images HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
    ).toContain(' 400 ');
    expect(
      await raw(
        `POST /v1/images HTTP/1.1\r\n${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      ),
    ).toContain(' 400 ');
    expect(await raw('\x00\x01\x02\r\n\r\n')).toContain(' 400 ');
    expect((await image.call('GET', '/healthz', { user: null })).status).toBe(200);
  });
});
