import { request } from 'node:http';
import { DEMO, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import {
  type Person,
  startTestIdentity,
  TEST_ADMIN_TOKEN,
  type TestIdentity,
} from '@folsom/identity/testing';
import { imageHeaders, startThrowaway, type Throwaway } from '@folsom/image/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * A path in whatever spelling: nobody gets past the login by writing it differently, and whoever may ask gets the same answer
 * for what is the same path.
 */
let identity: TestIdentity;
let person: Person;
let image: Throwaway;
let compute: TestApi;
let imageId: string;

beforeAll(async () => {
  identity = await startTestIdentity();
  person = await identity.person('marked-anna');
  image = await startThrowaway();
  const made = await image.call('POST', '/v1/images', {
    headers: imageHeaders({ name: 'marked-image' }),
    body: 'marked-bytes',
  });
  imageId = made.json().image.id;
  await image.call('PUT', `/v1/images/${imageId}/members/marked-tenant`);
  compute = await startTestApi();
  await compute.call('POST', 'os-keypairs', { body: { keypair: { name: 'marked-key' } } });
});
afterAll(async () => {
  await identity.stop();
  await image.stop();
  await compute.stop();
});

interface Answer {
  status: number;
  text: string;
  headers: NodeJS.Dict<string | string[]>;
}

/** Sends a target as it stands, which `fetch` would tidy up first. */
const ask = (
  base: string,
  method: string,
  target: string,
  token: string | null,
  extra = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const headers = {
      accept: 'application/json',
      ...(token === null ? {} : { 'x-auth-token': token }),
      ...extra,
    };
    const sent = request({ hostname, port, method, path: target, headers, agent: false }, answer => {
      let text = '';
      answer.on('data', chunk => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode!, text, headers: answer.headers }));
    });
    sent.setTimeout(20_000, () => sent.destroy(new Error(`no answer: ${method} ${target}`)));
    sent.on('error', reject);
    sent.end();
  });

const hex = (character: string) => `%${character.charCodeAt(0).toString(16)}`;
const letters = (path: string) => [...path.matchAll(/[a-z0-9.]/gi)].map(found => found.index);

/** Other spellings of the same path. */
const same = (path: string): string[] => [
  `http://evil.example${path}`,
  `HTTP://u:p@evil.example:99${path}`,
  path.replace(/[a-z0-9.-]/gi, hex),
  path.replace(/[a-z0-9.-]/gi, character => hex(character).toUpperCase()),
  ...letters(path)
    .slice(0, 12)
    .map(at => path.slice(0, at) + hex(path[at]!) + path.slice(at + 1)),
];

/** What may look like the path to somebody. */
const similar = (path: string): string[] => {
  const [, first = '', rest = ''] = /^(\/[^/]+)(.*)$/.exec(path) ?? [];
  return [
    `/${path}`,
    `//evil.example${path}`,
    `${first}/${rest}`,
    `${path}/`,
    `/.${path}`,
    `/x/..${path}`,
    `/%2e%2e${path}`,
    `/x/%2e%2e${path}`,
    `${first}/x/..${rest}`,
    `${first}/%2e${rest}`,
    path.replaceAll('/', '%2f'),
    `/${path.slice(1).replaceAll('/', '%2F')}`,
    `${first}${rest.replaceAll('/', '%5c')}`,
    `${first}${rest.replaceAll('/', '\\')}`,
    path.replaceAll('/', '\\'),
    path.replace(/[a-z]/g, character => `%25${character.charCodeAt(0).toString(16)}`),
    path.toUpperCase(),
    `${path};x=y`,
    `${path}%00`,
    `${path}%3Fa=b`,
    `${path}%23`,
    `/healthz/..${path}`,
    `/versions/..${path}`,
    `http:${path}`,
    `http:///${path.slice(1)}`,
    `ftp://evil${path}`,
    `${path}/%zz`,
    `${path}/%ff`,
    `${path}/%c0%af`,
  ];
};

interface Target {
  service: string;
  base: () => string;
  paths: () => string[];
  token: () => string | Promise<string>;
}

const targets: Target[] = [
  {
    service: 'keystone, public',
    base: () => identity.publicUrl,
    paths: () => ['/v2.0/tenants'],
    token: () => identity.login('marked-anna'),
  },
  {
    service: 'keystone, admin',
    base: () => identity.adminUrl,
    paths: () => [
      '/v2.0/users',
      `/v2.0/users/${person.userId}`,
      '/v2.0/tenants',
      `/v2.0/tenants/${person.tenantId}/users/${person.userId}/roles`,
      `/v2.0/users/${person.userId}/credentials/OS-EC2`,
    ],
    token: () => TEST_ADMIN_TOKEN,
  },
  {
    service: 'glance',
    base: () => image.api,
    paths: () => [
      '/v1/images',
      '/v1/images/detail',
      `/v1/images/${imageId}`,
      `/v1/images/${imageId}/members`,
      '/v1/shared-images/marked-tenant',
      '/v2/images',
      `/v2/images/${imageId}`,
      `/v2/images/${imageId}/file`,
      '/v2/schemas/image',
      '/v1/cached_images',
    ],
    token: () => 'admin',
  },
  {
    service: 'glance-registry',
    base: () => image.registry,
    paths: () => ['/images', '/images/detail', `/images/${imageId}`, '/shared-images/marked-tenant'],
    token: () => 'admin',
  },
  {
    service: 'nova',
    base: () => compute.url,
    paths: () => [
      `/v2/${DEMO}/os-keypairs`,
      `/v2/${DEMO}/servers`,
      `/v1.1/${DEMO}/os-keypairs`,
      '/v2/',
      '/v2',
    ],
    token: () => 'demo',
  },
];

describe.each(targets)('$service', ({ base, paths, token }) => {
  it('never gets past the login by another spelling', async () => {
    for (const path of paths()) {
      for (const spelling of [path, ...same(path), ...similar(path)]) {
        for (const sent of [null, 'garbage']) {
          const answer = await ask(base(), 'GET', spelling, sent, { 'x-roles': 'admin', 'x-user-id': 'x' });
          const what = `${spelling} with ${sent}: ${answer.status} ${answer.text.slice(0, 200)}`;
          expect([300, 400, 401, 404], what).toContain(answer.status);
          expect(answer.text, what).not.toContain('marked');
          // Advisory 93.
          expect(answer.headers['x-content-type-options'], what).toBe('nosniff');
        }
      }
    }
  });

  it('refuses the path itself and what is the same with 401', async () => {
    for (const path of paths()) {
      for (const spelling of [path, ...same(path)]) {
        const answer = await ask(base(), 'GET', spelling, null);
        expect([spelling, answer.status]).toEqual([spelling, 401]);
      }
    }
  });

  it('gives whoever may ask the same answer for the same path', async () => {
    const known = await token();
    const plain = ({ status, text }: Answer) => ({
      status,
      text: text.replace(/evil\.example(:99)?|127\.0\.0\.1:\d+/g, 'H'),
    });
    for (const path of paths()) {
      const expected = plain(await ask(base(), 'GET', path, known));
      expect([200, 302], `${path}: ${expected.text}`).toContain(expected.status);
      for (const spelling of same(path)) {
        expect([spelling, plain(await ask(base(), 'GET', spelling, known))]).toEqual([spelling, expected]);
      }
    }
  });
});

it('changes nothing for nobody in any spelling', async () => {
  const changes = [
    [image.api, `/v1/images/${imageId}`],
    [image.api, `/v2/images/${imageId}`],
    [image.registry, `/images/${imageId}`],
    [compute.url, `/v2/${DEMO}/os-keypairs/marked-key`],
    [identity.adminUrl, `/v2.0/users/${person.userId}`],
  ] as const;
  for (const [base, path] of changes) {
    for (const spelling of [path, ...same(path), ...similar(path)]) {
      const { status } = await ask(base, 'DELETE', spelling, null);
      expect([300, 400, 401, 404], spelling).toContain(status);
    }
  }
  expect((await image.call('GET', `/v1/images/${imageId}`)).text).toBe('marked-bytes');
  expect((await compute.call('GET', 'os-keypairs/marked-key')).status).toBe(200);
  expect((await identity.admin('GET', `/users/${person.userId}`)).status).toBe(200);
});
