import { fieldsOf } from '@folsom/http/operation';
import { startTestIdentity, TEST_ADMIN_TOKEN, type TestIdentity } from '@folsom/identity/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Bad input, generated from the declared operations: every answer is keystone's fault in keystone's form, never a 500,
// never a hang.

const VALUES: unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  '',
  'x',
  'x'.repeat(300),
  'x'.repeat(70_000),
  '\u0000',
  'ünïcödé 漢字 🦊',
  "'; DROP TABLE user; --",
  '%(admin_token)s',
  [],
  [1, 'x', null],
  {},
  { nested: { deep: [{}] } },
  { toString: 'x', __proto__: { admin: true } },
];

const FIELDS = [
  ...['name', 'id', 'enabled', 'description', 'password', 'original_password', 'email', 'tenantId', 'roleId'],
  ...[
    'type',
    'region',
    'service_id',
    'publicurl',
    'adminurl',
    'internalurl',
    'extra',
    '__proto__',
    'constructor',
  ],
  ...['passwordCredentials', 'token', 'tenantName', 'access', 'signature', 'params', 'host', 'verb', 'path'],
];

let cloud: TestIdentity;
let ids: { userId: string; tenantId: string; roleId: string };
beforeAll(async () => {
  cloud = await startTestIdentity();
  ids = await cloud.person('victim');
});
afterAll(() => cloud.stop());

const TIME_MS = 5_000;

async function send(
  base: string,
  method: string,
  path: string,
  body: string | undefined,
  type = 'application/json',
) {
  const response = await fetch(base + path, {
    method,
    headers: {
      'x-auth-token': TEST_ADMIN_TOKEN,
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(TIME_MS),
  });
  return { status: response.status, text: await response.text() };
}

function expectFault(what: unknown, { status, text }: { status: number; text: string }): void {
  expect({ what, status, ok: status < 500 || status === 501 }).toEqual({ what, status, ok: true });
  if (status >= 400 && text !== '' && !text.startsWith('<')) {
    const { error } = JSON.parse(text) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: status });
    expect(typeof error.message).toBe('string');
    expect(typeof error.title).toBe('string');
  }
}

const baseOf = (port: string | undefined) => (port === 'admin' ? cloud.adminUrl : cloud.publicUrl);

/** Every operation once, on the port where it can do more. */
const onePort = () =>
  cloud.running.operations.filter(({ port, ports }) => port === 'admin' || !ports?.includes('admin'));

/** Real ids for some of the path's names, so that the requests get far. */
const fill = (path: string): string =>
  path
    .replace(':user_id', ids.userId)
    .replace(':tenant_id', ids.tenantId)
    .replace(':role_id', ids.roleId)
    .replace(/:\w+/g, 'x');

describe('bodies', () => {
  it('of any shape are answered, never with a 500', async () => {
    const operations = onePort().filter(({ body }) => body !== undefined);
    expect(operations.length).toBeGreaterThan(15);
    for (const { name, method, url: path, port, body } of operations) {
      const url = fill(path);
      for (const raw of [
        '{',
        '[1]',
        '"x"',
        '1',
        'null',
        '{}',
        '{"a":1}',
        '\ufeff{}',
        '\u0000',
        '{"auth":{}}x',
        '',
      ]) {
        expectFault([name, raw], await send(baseOf(port), method, url, raw));
      }
      for (const wrapper of fieldsOf({ body })) {
        for (const value of VALUES) {
          expectFault(
            [name, wrapper, value],
            await send(baseOf(port), method, url, JSON.stringify({ [wrapper]: value })),
          );
        }
      }
    }
  }, 240_000);

  it('with any value in any field are answered, never with a 500', async () => {
    const operations = onePort().filter(({ body }) => body !== undefined);
    // Every fifth value for each field, shifted: together they meet often enough.
    let turn = 0;
    for (const { name, method, url: path, port, body } of operations) {
      const url = fill(path);
      for (const wrapper of fieldsOf({ body })) {
        for (const field of FIELDS) {
          for (let i = turn++ % 5; i < VALUES.length; i += 5) {
            const text = `{${JSON.stringify(wrapper)}: {"name": "n${turn}-${i}", ${JSON.stringify(field)}: ${JSON.stringify(VALUES[i])}}}`;
            expectFault([name, wrapper, field, VALUES[i]], await send(baseOf(port), method, url, text));
          }
        }
      }
    }
  }, 240_000);

  it('in XML of any shape are answered, never with a 500', async () => {
    const documents = [
      '<',
      '<a>',
      '<a/>',
      '<a><b>x</b>y</a>',
      '<?xml version="1.0"?><!DOCTYPE a><a/>',
      `<a>${'<b>'.repeat(100)}${'</b>'.repeat(100)}</a>`,
      '<a xmlns:x="y" x:z="1"/>',
      '<auth><passwordCredentials/></auth>',
      '<user name="u" enabled="maybe"/>',
      '<tenant name="t"><description/><x><y z="1"/></x></tenant>',
      '<role name="r"><name>x</name></role>',
    ];
    for (const { name, method, url: path, port, body } of onePort()) {
      if (body === undefined) continue;
      for (const document of documents) {
        const answer = await send(baseOf(port), method, fill(path), document, 'application/xml');
        expectFault([name, document], answer);
      }
    }
  }, 240_000);

  it('may be large, but not endless', async () => {
    const filler = (bytes: number) => JSON.stringify({ auth: { x: 'a'.repeat(bytes) } });
    expect((await send(cloud.publicUrl, 'POST', '/v2.0/tokens', filler(1024 * 1024))).status).toBe(400);
    const huge = await send(cloud.publicUrl, 'POST', '/v2.0/tokens', filler(3 * 1024 * 1024));
    expect(huge.status).toBe(413);
    expect(JSON.parse(huge.text).error.code).toBe(413);
  });
});

describe('paths, queries and headers', () => {
  const odd = [
    '%',
    '%zz',
    '%00',
    '..',
    '%2e%2e',
    'a%2Fb',
    'x'.repeat(3000),
    '%F0%9F%A6%8A',
    "'",
    '*',
    '(',
    '-',
  ];

  it('of any kind are answered, never with a 500', async () => {
    for (const { name, method, url: path, port } of onePort()) {
      if (method === 'ANY' || !path.includes(':')) continue;
      for (const part of odd) {
        const url = path.replace(/:\w+/g, part);
        const answer = await send(baseOf(port), method, url, undefined);
        expect({ name, part, bad: answer.status >= 500 && answer.status !== 501 }).toEqual({
          name,
          part,
          bad: false,
        });
      }
    }
    for (const query of [
      'limit=%',
      'limit=1&limit=x',
      'marker=%00',
      'belongsTo=',
      'since=x',
      `a=${'b'.repeat(5000)}`,
    ]) {
      for (const path of ['/tenants', '/tokens/x', '/OS-FOLSOM/revocations']) {
        expectFault([path, query], await send(cloud.adminUrl, 'GET', `/v2.0${path}?${query}`, undefined));
      }
    }
  }, 240_000);

  it('that are too large end with 431, tokens that are too long with 401', async () => {
    const big = await fetch(`${cloud.publicUrl}/v2.0/tenants`, {
      headers: { 'x-filler': 'x'.repeat(20_000) },
    });
    expect(big.status).toBe(431);
    const long = await fetch(`${cloud.publicUrl}/v2.0/tenants`, {
      headers: { 'x-auth-token': 'x'.repeat(12_000) },
    });
    expect(long.status).toBe(401);
  });

  it('do not lead to what belongs to others', async () => {
    await cloud.person('mallory');
    const owner = await cloud.person('owner');
    const token = await cloud.login('mallory');
    const pair = (
      await cloud.admin('POST', `/users/${owner.userId}/credentials/OS-EC2`, { tenant_id: owner.tenantId })
    ).json.credential;
    const path = `/users/${owner.userId}/credentials/OS-EC2`;
    expect((await cloud.public('GET', path, undefined, token)).status).toBe(403);
    expect((await cloud.public('POST', path, { tenant_id: owner.tenantId }, token)).status).toBe(403);
    expect((await cloud.public('GET', `${path}/${pair.access}`, undefined, token)).status).toBe(403);
    expect((await cloud.public('DELETE', `${path}/${pair.access}`, undefined, token)).status).toBe(403);
    const change = { user: { password: 'x', original_password: 'secrete' } };
    expect((await cloud.public('PATCH', `/OS-KSCRUD/users/${owner.userId}`, change, token)).status).toBe(403);
    await cloud.login('owner');
  });
});
