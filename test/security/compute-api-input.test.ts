import { bootBody, makeActive, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { seededRandom } from '@folsom/core';

import { operationsOf } from '@folsom/http/operation';
import { SLOW, sharing } from '@folsom/testing';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG, RAW, VALUES } from './bad-values.ts';

/** Longest any answer may take, however bad the input. */
const ANSWER_MS = 20_000;

/** Keys that bodies of this API are made of. */
const KEYS = [
  'server',
  'flavor',
  'keypair',
  'security_group',
  'security_group_rule',
  'metadata',
  'meta',
  'quota_set',
  'quota_class_set',
  'aggregate',
  'network',
  'volume',
  'volumeAttachment',
  'snapshot',
  'volume_type',
  'extra_specs',
  'status',
  'host',
];
const INNER = [
  'name',
  'imageRef',
  'flavorRef',
  'metadata',
  'personality',
  'networks',
  'security_groups',
  'user_data',
  'min_count',
  'max_count',
  'key_name',
  'availability_zone',
  'config_drive',
  'block_device_mapping',
  'adminPass',
  'accessIPv4',
  'accessIPv6',
  'OS-DCF:diskConfig',
  'description',
  'parent_group_id',
  'ip_protocol',
  'from_port',
  'to_port',
  'cidr',
  'group_id',
  'ram',
  'vcpus',
  'disk',
  'id',
  'swap',
  'public_key',
  'instances',
  'tenant',
  'label',
  'host',
  'type',
  'length',
  'rotation',
  'backup_type',
  'networkId',
  'address',
  'state',
  'volume_id',
  'volumeId',
  'device',
  'size',
  'snapshot_id',
  'display_name',
  'volume_type',
  'force',
];

/** Those of the values that handlers have fallen over. */
const HOSTILE = [
  ...[null, 1e308, LONG.slice(0, 60_000), '\u0000', [], {}, { toString: 1, valueOf: 2 }],
  JSON.parse('{"__proto__": {"x": 1}}'),
];
/** What bodies hold that are read whole: their shapes name no fields. */
const UNNAMED_KEYS = ['type', 'name', 'host', 'adminPass', 'length', 'id', 'pool', 'cidr', 'label'];

interface Node {
  properties?: Record<string, Node>;
}

/** The fields that a shape names, from the outside in; those of a body that is read whole are guessed. */
function fieldsOf(shape: Node): string[][] {
  const { properties } = shape;
  if (!properties) return UNNAMED_KEYS.map(key => [key]);
  return Object.entries(properties).flatMap(([name, inner]) => [
    [name],
    ...(inner.properties ? fieldsOf(inner).map(path => [name, ...path]) : []),
  ]);
}

/** `value` at a place in a body; the rest of it is `base`. */
function bodyWith(base: Record<string, unknown>, [name, ...rest]: string[], value: unknown): unknown {
  const inner = (base[name!] ?? {}) as Record<string, unknown>;
  return { ...base, [name!]: rest.length === 0 ? value : bodyWith(inner, rest, value) };
}

describe('bad input', { timeout: 480_000 }, () => {
  let test: TestApi;
  let server: string;
  const routes: { method: string; path: string; actions: string[] }[] = [];

  beforeAll(async () => {
    test = await startTestApi({ nova: { quota_instances: -1, quota_cores: -1, quota_ram: -1 } });
    const booted = await test.call('POST', 'servers', { body: bootBody(), admin: true });
    server = booted.json.server.id;
    await makeActive(test, server);
    const seen = new Map<string, { method: string; path: string; actions: string[] }>();
    for (const { method, path, key } of operationsOf(test.api.app)) {
      const at = `${method} ${path}`;
      const route = seen.get(at) ?? { method, path: path.slice(1), actions: [] };
      if (key !== undefined) route.actions.push(key);
      seen.set(at, route);
    }
    routes.push(...seen.values());
  });
  afterAll(() => test.stop());

  const at = (path: string, fill: string) =>
    path.replace(/:(server_id|\w+)/g, (_whole, name) => (name === 'server_id' ? server : fill));

  const check = async (
    method: string,
    path: string,
    options: Parameters<TestApi['call']>[2],
    what: string,
  ) => {
    const started = performance.now();
    const answer = await test.call(method, path, { admin: true, ...options }).catch(error => {
      throw new Error(`${method} ${path} ${what}: ${error}`);
    });
    const shown = `${method} ${path} ${what}: ${answer.status} ${answer.text.slice(0, 300)}`;
    // 501 and 405 are this API's own words for "not here".
    expect(answer.status < 500 || answer.status === 501, shown).toBe(true);
    expect(performance.now() - started, shown).toBeLessThan(ANSWER_MS);
    return answer;
  };

  /** Values by turns: each meets a third of the places, in the slow ring all. */
  const share = sharing();

  it('covers every route', () => {
    expect(routes.length).toBeGreaterThan(150);
  });

  it.each(RAW)('%s is refused by every route that takes a body', async (what, raw, type) => {
    for (const { method, path } of routes.filter(
      route => route.method === 'POST' || route.method === 'PUT',
    )) {
      await check(method, at(path, '1'), { raw, headers: { 'content-type': type } }, what);
    }
  });

  it('strange ids are answered', async () => {
    const ids = [
      '%00',
      '%ff',
      '%2e%2e',
      '0',
      '-1',
      '99999999999999999999',
      'a%2Fb',
      "'",
      '%25',
      '%E2%82%AC',
      LONG.slice(0, 4_000),
    ];
    for (const { method, path } of routes.filter(route => route.path.includes(':'))) {
      for (const id of share(ids)) {
        if (method === 'GET' || method === 'DELETE') await check(method, at(path, id), {}, id.slice(0, 30));
      }
    }
  });

  it('strange queries are answered', async () => {
    const queries = [
      'limit=abc',
      'limit=-1',
      'limit=99999999999999999999',
      'marker=%00',
      'name=%5B',
      `name=${'('.repeat(100)}`,
      'changes-since=x',
      'status=%ff',
      'deleted=x',
      'all_tenants=x',
      'ip=%25',
      'offset=-5',
      'start=x&end=y',
      'minRam=1e9',
      'is_public=x',
      `${'a=b&'.repeat(500)}`,
    ];
    for (const { method, path } of routes.filter(route => route.method === 'GET')) {
      for (const query of share(queries))
        await check(method, `${at(path, '1')}?${query}`, {}, query.slice(0, 30));
    }
  });

  it('every action survives every value in its place', async () => {
    for (const { path, actions } of routes.filter(route => route.actions.length > 0)) {
      const target = path.startsWith('servers') ? `servers/${server}/action` : at(path, '1');
      for (const action of actions) {
        for (const value of share(VALUES)) {
          await check(
            'POST',
            target,
            { body: { [action]: value } },
            `${action} ${JSON.stringify(value)?.slice(0, 50)}`,
          );
        }
      }
    }
  });

  it('every field of every body survives every value', async () => {
    const writers = operationsOf(test.api.app).filter(({ body }) => body !== undefined);
    expect(writers.length).toBeGreaterThan(40);
    for (const { method, path, key, body: shape, name } of writers) {
      const target = at(path.slice(1), path.startsWith('/servers') ? server : '1');
      const base = path === '/servers' ? bootBody() : {};
      for (const field of fieldsOf(shape as Node)) {
        for (const value of share(HOSTILE)) {
          const inner = bodyWith(base, field, value);
          const body = key === undefined ? inner : { [key]: inner };
          await check(method, target, { body }, `${name} ${field.join('.')}`);
        }
      }
    }
    expect((await test.call('GET', 'servers')).status).toBe(200);
  });

  it('random bodies of the right shape are answered', async () => {
    const random = seededRandom(20_120_927);
    const pick = <T>(items: readonly T[]): T => items[random.int(items.length)]!;
    const writers = routes.filter(route => route.method === 'POST' || route.method === 'PUT');
    for (let round = 0; round < (SLOW ? 1_500 : 500); round++) {
      const { method, path } = pick(writers);
      const inner = Object.fromEntries(
        Array.from({ length: 1 + random.int(8) }, () => [pick(INNER), pick(VALUES)]),
      );
      const body = { [pick(KEYS)]: inner };
      await check(method, at(path, pick(['1', 'x', server])), { body }, JSON.stringify(body).slice(0, 200));
    }
  });
});
