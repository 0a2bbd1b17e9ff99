import { DEMO, IMAGE, OTHER, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { type Person, startTestIdentity, type TestIdentity } from '@folsom/identity/testing';
import { startThrowaway, type Throwaway } from '@folsom/image/testing';
import { sharing } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestStore, testStore } from '../fixtures/object-store.ts';

/**
 * Two tenants have rows of every kind and visibility. Whatever one of them lists, by whatever filter, holds nothing of the
 * other's that it may not see: every declared GET of every service, with every filter anybody might try.
 */
const MARK = 'marked-private';

const share = sharing();

/** One of each, then each with another: every pair meets a third of the lists, in the slow ring all. */
function combinations(filters: readonly string[]): string[] {
  const pairs = filters.flatMap((one, at) => filters.slice(at + 1).map(two => `${one}&${two}`));
  return ['', ...filters, ...share(pairs)].map(query => (query === '' ? '' : `?${query}`));
}

/** Fills the parameters of a route, each with every value somebody might try. */
function filled(path: string, values: (parameter: string) => readonly string[]): string[] {
  const found = /:(\w+)/.exec(path);
  if (!found) return [path];
  return values(found[1]!).flatMap(value => filled(path.replace(found[0], value), values));
}

interface Asked {
  what: string;
  status: number;
  text: string;
}

/** What must not show shows nowhere, though a link may repeat the question and a refusal quote it; and some were answered. */
function expectHidden(answers: readonly Asked[], secrets: readonly string[]): void {
  for (const { what, status, text } of answers) {
    const told = `${what}: ${status} ${text.slice(0, 300)}`;
    // What is not there in the simulated cloud is 501.
    expect(status < 500 || status === 501, told).toBe(true);
    const question = (what.split('?')[1] ?? '').split('&').filter(part => part !== '');
    const rest = question.reduce((left, part) => left.replaceAll(part, ''), text);
    for (const secret of secrets) {
      if (status >= 400 && what.includes(secret)) continue;
      expect(rest.includes(secret), `${secret} in ${told}`).toBe(false);
    }
  }
  expect(answers.some(({ status }) => status === 200)).toBe(true);
}

describe.each([
  { kind: 'in process', remote: false },
  { kind: 'over HTTP', remote: true },
])('images, registry $kind', ({ remote }) => {
  let image: Throwaway;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    image = await startThrowaway({ remote });
    const make = async (user: string, name: string, more: object) => {
      const body = { name, disk_format: 'raw', container_format: 'bare', kind: 'k', ...more };
      const answer = await image.call('POST', '/v2/images', { user, body });
      expect(answer.status, answer.text).toBe(201);
      ids[name] = answer.json().id;
    };
    await make('alice', `${MARK}-plain`, { visibility: 'private', tags: ['t'] });
    await make('alice', `${MARK}-elsewhere`, { visibility: 'private' });
    await make('alice', `${MARK}-deleted`, { visibility: 'private' });
    await make('alice', 'alices-public', { visibility: 'public' });
    await make('alice', 'alices-for-bob', { visibility: 'private' });
    await make('bob', 'bobs-private', { visibility: 'private' });
    await make('bob', 'bobs-public', { visibility: 'public' });
    await image.call('PUT', `/v1/images/${ids['alices-for-bob']}/members/tenant-bob`);
    await image.call('PUT', `/v1/images/${ids[`${MARK}-elsewhere`]}/members/tenant-carl`);
    await image.call('PUT', `/v1/images/${ids['alices-public']}/members/tenant-carl`);
    await image.call('DELETE', `/v2/images/${ids[`${MARK}-deleted`]}`);
    await image.db.knex('images').insert({
      ...(await image.db
        .knex('images')
        .where({ id: ids[`${MARK}-plain`] })
        .first()),
      id: '00000000-0000-4000-8000-00000000000f',
      name: `${MARK}-of-nobody`,
      owner: null,
    });
  });
  afterAll(() => image.stop());

  const filters = () => [
    'visibility=private',
    'visibility=public',
    'visibility=',
    'owner=tenant-alice',
    'owner=',
    'is_public=None',
    'is_public=False',
    'is_public=0',
    'deleted=True',
    'deleted=None',
    'member_status=all',
    'kind=k',
    'property-kind=k',
    `name=${MARK}-plain`,
    `id=${ids[`${MARK}-plain`]}`,
    'status=queued',
    'changes-since=2000-01-01',
    'min_disk=0',
    'size_min=0',
    'sort_key=name&sort_dir=asc',
    'sort_key=owner',
    `marker=${ids[`${MARK}-plain`]}`,
    'limit=1000',
    'tenant=tenant-alice',
  ];

  it('are listed without what is another tenant’s', async () => {
    const to = ['/v1/images', '/v1/images/detail', '/v2/images'].map(path => ({ to: 'api' as const, path }));
    const from = [
      ...to,
      ...['/', '/images', '/images/detail'].map(path => ({ to: 'registry' as const, path })),
    ];
    const secrets = [MARK, ...['plain', 'elsewhere', 'deleted'].map(name => ids[`${MARK}-${name}`]!)];
    const answers: Asked[] = [];
    for (const { to, path } of from) {
      for (const query of combinations(filters())) {
        const { status, text } = await image.call('GET', path + query, { user: 'bob', to });
        answers.push({ what: path + query, status, text });
      }
    }
    expectHidden(answers, secrets);
  });

  it('are all still listed for those they belong to, and for administrators', async () => {
    const names = async (user: string, query: string) =>
      (
        (await image.call('GET', `/v2/images?limit=100&${query}`, { user })).json().images as {
          name: string;
        }[]
      )
        .map(({ name }) => name)
        .sort();
    expect(await names('bob', '')).toEqual([
      'alices-for-bob',
      'alices-public',
      'bobs-private',
      'bobs-public',
    ]);
    expect(await names('bob', 'visibility=private')).toEqual(['alices-for-bob', 'bobs-private']);
    expect(await names('bob', 'visibility=public')).toEqual(
      expect.arrayContaining(['alices-public', 'bobs-public']),
    );
    expect(await names('alice', 'visibility=private')).toEqual([
      'alices-for-bob',
      `${MARK}-elsewhere`,
      `${MARK}-plain`,
    ]);
    expect(await names('admin', 'visibility=private')).toEqual(
      expect.arrayContaining([`${MARK}-of-nobody`, 'bobs-private']),
    );
  });

  it('are told of as shared to those concerned', async () => {
    const shared = async (user: string, tenant: string) =>
      (await image.call('GET', `/v1/shared-images/${tenant}`, { user })).json().shared_images.length;
    expect(await shared('alice', 'tenant-carl')).toBe(2);
    expect(await shared('admin', 'tenant-carl')).toBe(2);
    expect(await shared('bob', 'tenant-bob')).toBe(1);
    expect(await shared('bob', 'tenant-carl')).toBe(0);
    const members = async (user: string, name: string) =>
      (await image.call('GET', `/v1/images/${ids[name]}/members`, { user })).json().members.length;
    expect(await members('alice', 'alices-public')).toBe(1);
    expect(await members('bob', 'alices-public')).toBe(0);
    expect(await members('bob', 'alices-for-bob')).toBe(1);
  });
});

describe('identity', () => {
  let cloud: TestIdentity;
  let victim: Person;
  let access: string;
  beforeAll(async () => {
    cloud = await startTestIdentity();
    victim = await cloud.person(`${MARK}-user`, { tenant: `${MARK}-tenant`, role: `${MARK}-role` });
    await cloud.person('bob');
    const made = await cloud.admin('POST', `/users/${victim.userId}/credentials/OS-EC2`, {
      tenant_id: victim.tenantId,
    });
    access = made.json.credential.access;
  });
  afterAll(() => cloud.stop());

  it('lists nothing of another tenant, on either port, whatever is asked', async () => {
    const token = await cloud.login('bob');
    const filters = [
      `name=${MARK}-tenant`,
      `tenantId=${victim.tenantId}`,
      `tenant_id=${victim.tenantId}`,
      `user_id=${victim.userId}`,
      `marker=${victim.tenantId}`,
      'limit=100',
      'all_tenants=1',
      'is_admin=1',
    ];
    const values = (parameter: string): string[] => {
      if (parameter.includes('tenant')) return [victim.tenantId];
      if (parameter.includes('user')) return [victim.userId];
      if (parameter.includes('credential')) return [access];
      if (parameter.includes('role')) return [victim.roleId];
      return ['x'];
    };
    const answers: Asked[] = [];
    for (const operation of cloud.running.operations) {
      if (operation.method !== 'GET') continue;
      const call = operation.port === 'public' ? cloud.public : cloud.admin;
      for (const path of filled(operation.url.replace('/v2.0', ''), values)) {
        for (const query of combinations(filters)) {
          const { status, text } = await call('GET', path + query, undefined, token);
          answers.push({ what: path + query, status, text });
        }
      }
    }
    expectHidden(answers, [MARK, access]);
  });
});

describe('compute', () => {
  let api: TestApi;
  let server: string;
  let group: string;
  beforeAll(async () => {
    api = await startTestApi();
    const boot = (name: string, token: 'demo' | 'other') =>
      api.call('POST', 'servers', { token, body: { server: { name, imageRef: IMAGE, flavorRef: '1' } } });
    const made = await boot(`${MARK}-server`, 'demo');
    expect(made.status, made.text).toBe(202);
    server = made.json.server.id;
    await boot('others-own', 'other');
    await api.call('POST', 'os-keypairs', { body: { keypair: { name: `${MARK}-key` } } });
    const { json } = await api.call('POST', 'os-security-groups', {
      body: { security_group: { name: `${MARK}-group`, description: MARK } },
    });
    group = String(json.security_group.id);
    await api.db
      .knex('floating_ips')
      .insert({ address: '198.51.100.77', project_id: DEMO, deleted: 0, pool: 'nova' });
    await api.db
      .knex('instance_metadata')
      .insert({ instance_uuid: server, key: MARK, value: MARK, deleted: 0 });
  });
  afterAll(() => api.stop());

  it('lists nothing of another tenant in any listing, whatever is asked', async () => {
    const filters = [
      'all_tenants=1',
      `tenant_id=${DEMO}`,
      `project_id=${DEMO}`,
      'deleted=1',
      'changes-since=2000-01-01T00:00:00Z',
      `name=${MARK}`,
      'name=.*',
      'ip=.*',
      'status=BUILD',
      'host=node1',
      `image=${IMAGE}`,
      `uuid=${server}`,
      `marker=${server}`,
      'limit=1000',
      'is_public=None',
      'detailed=1&start=2000-01-01&end=2100-01-01',
    ];
    const values = (parameter: string): string[] => {
      if (parameter === 'project_id') return [OTHER];
      if (parameter === 'server_id') return [server];
      return [server, group, DEMO, '0'];
    };
    const answers: Asked[] = [];
    const paths = new Set(
      api.api.routes
        .filter(
          ({ method, path }) =>
            method === 'GET' && path.startsWith('/v2/:project_id') && !/\.(json|xml)$/.test(path),
        )
        .map(({ path }) => path),
    );
    expect(paths.size).toBeGreaterThan(50);
    for (const pattern of paths) {
      // Lists get every pair of filters, what has an id each filter once.
      const queries =
        (pattern.match(/:/g) ?? []).length === 1 ? combinations(filters) : ['', '?all_tenants=1'];
      for (const path of filled(pattern, values)) {
        for (const query of queries) {
          const { status, text } = await api.call('GET', path + query, { token: 'other' });
          answers.push({ what: path + query, status, text });
        }
      }
    }
    expectHidden(answers, [MARK, '198.51.100.77']);
    expect((await api.call('GET', `os-keypairs/${MARK}-key`, { token: 'other' })).status).toBe(404);
    const own = await api.call('GET', 'servers', { token: 'other' });
    expect(own.json.servers.map(({ name }: { name: string }) => name)).toEqual(['others-own']);
  });
});

describe('object storage', () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await testStore({ devices: 1, replicas: 1 });
    const owner = store.as('test:tester');
    expect((await owner('PUT', `/v1/AUTH_test/${MARK}-container`)).status).toBe(201);
    await owner('PUT', `/v1/AUTH_test/${MARK}-container/${MARK}-object`, {}, MARK);
  });
  afterAll(() => store.stop());

  it('lists nothing of another account, whatever is asked', async () => {
    const stranger = store.as('test2:tester2');
    const filters = [
      'format=json',
      'format=xml',
      'prefix=',
      `prefix=${MARK}`,
      'delimiter=/',
      'path=',
      'limit=1',
      'marker=a',
      'end_marker=z',
    ];
    const answers: Asked[] = [];
    for (const path of [
      '/v1/AUTH_test',
      '/v1/AUTH_test/',
      `/v1/AUTH_test/${MARK}-container`,
      `/v1/AUTH_test/${MARK}-container/${MARK}-object`,
      `/v1/AUTH_test2/../AUTH_test/${MARK}-container`,
      '/v1/AUTH_test2%2f..%2fAUTH_test',
      '//v1/AUTH_test',
      '/v1//AUTH_test',
    ]) {
      for (const query of combinations(filters)) {
        for (const method of ['GET', 'HEAD']) {
          const { status, text } = await stranger(method, path + query);
          answers.push({ what: path + query, status, text });
          expect(status, path + query).toBeGreaterThanOrEqual(400);
        }
      }
    }
    expect((await stranger('GET', '/v1/AUTH_test2')).status).toBeLessThan(300);
    expect(answers.filter(({ text, what }) => text.includes(MARK) && !what.includes(MARK))).toEqual([]);
  });
});
