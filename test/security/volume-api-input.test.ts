import { startVolumeApi } from '@folsom/compute-api';
import { startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { operationsOf } from '@folsom/http/operation';
import { sharing } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG, RAW, VALUES } from './bad-values.ts';

/** What the bodies of this API hold, by their outer key; an action's key is its name. */
const FIELDS: Record<string, readonly string[]> = {
  volume: [
    'size',
    'display_name',
    'display_description',
    'snapshot_id',
    'volume_type',
    'metadata',
    'imageRef',
  ],
  snapshot: ['volume_id', 'display_name', 'force'],
  volume_type: ['name', 'extra_specs'],
  extra_specs: ['a'],
  'os-reset_status': ['status'],
  'os-volume_upload_image': ['image_name', 'disk_format', 'container_format', 'force'],
};
/** The outer key of a route that has no actions, by the end of its path. */
const OUTER: readonly (readonly [string, string])[] = [
  ['volumes', 'volume'],
  ['snapshots', 'snapshot'],
  ['types', 'volume_type'],
  ['extra_specs', 'extra_specs'],
  [':id', 'a'],
];
const GOOD: Record<string, unknown> = {
  size: 1,
  volume_id: 'x',
  name: 'n',
  status: 'error',
  image_name: 'n',
};

describe('bad input to the volume API', { timeout: 480_000 }, () => {
  let test: TestApi;
  let volume: string;
  let routes: { method: string; path: string; key: string | undefined }[];
  /** Each value meets a third of the places, in the slow ring all. */
  const share = sharing();

  beforeAll(async () => {
    test = await startTestApi({ start: startVolumeApi, nova: { quota_volumes: -1, quota_gigabytes: -1 } });
    volume = (await test.call('POST', 'volumes', { body: { volume: { size: 1 } }, admin: true })).json.volume
      .id;
    await test.db.knex('volumes').where({ id: volume }).update({ status: 'available', host: 'node1' });
    routes = operationsOf(test.api.app).map(({ method, path, key }) => ({
      method,
      path: path.slice(1),
      key,
    }));
  });
  afterAll(() => test.stop());

  const at = (path: string, fill: string) => path.replace(/:\w+/g, fill);
  const check = async (
    method: string,
    path: string,
    options: Parameters<TestApi['call']>[2] = {},
    what = '',
  ): Promise<void> => {
    const { status, text } = await test.call(method, path, { admin: true, ...options });
    expect(status, `${method} ${path} ${what}: ${text.slice(0, 300)}`).toBeLessThan(500);
    expect(text).not.toMatch(/node_modules|\.ts:\d|SQLITE|TypeError/);
  };
  const writers = () => routes.filter(({ method }) => method === 'POST' || method === 'PUT');

  it('covers every route', () => {
    expect(routes.length).toBeGreaterThan(20);
  });

  it.each(RAW)('%s is answered by every route that takes a body', async (what, raw, type) => {
    for (const { method, path } of writers())
      await check(method, at(path, volume), { raw, headers: { 'content-type': type } }, what);
  });

  it('strange ids and queries are answered', async () => {
    const ids = [
      '%00',
      '%ff',
      '%2e%2e',
      '-1',
      '99999999999999999999',
      'a%2Fb',
      "'",
      '%25',
      LONG.slice(0, 4_000),
    ];
    const queries = [
      'limit=abc',
      'limit=-1',
      'offset=99999999999999999999',
      'metadata=%7B',
      'metadata=[1]',
      'x=%ff',
    ];
    for (const { method, path } of routes) {
      if (path.includes(':') && (method === 'GET' || method === 'DELETE'))
        for (const id of share(ids)) await check(method, at(path, id));
      if (method === 'GET') for (const query of queries) await check(method, `${at(path, '1')}?${query}`);
    }
  });

  it('every field survives every value, and so does every body as a whole', async () => {
    for (const { method, path, key } of writers()) {
      const outer =
        key === undefined ? OUTER.filter(([at]) => path.endsWith(at)).map(([, name]) => name) : [key];
      for (const name of outer) {
        for (const value of share(VALUES)) {
          await check(method, at(path, volume), { body: { [name]: value } }, name);
          for (const field of FIELDS[name] ?? []) {
            const body = { [name]: { ...GOOD, [field]: value } };
            await check(method, at(path, volume), { body }, `${name}.${field}`);
          }
        }
      }
    }
    expect((await test.call('GET', 'volumes', { admin: true })).status).toBe(200);
  });
});
