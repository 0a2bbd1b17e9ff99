import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { reaperOptions, reaperPass } from '@folsom/object-account';
import { syncOptions, syncPass, updaterOptions, updaterPass } from '@folsom/object-container';
import { openRing } from '@folsom/ring';
import { confSection, hashPathSuffix, pathHash, readConf } from '@folsom/swift';
import { createInternalClient, type InternalClient } from '@folsom/swift-http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestStore, testStore } from '../fixtures/object-store.ts';

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const signal = new AbortController().signal;
let store: TestStore;
let client: InternalClient;
let owner: ReturnType<TestStore['as']>;

beforeAll(async () => {
  store = await testStore({
    devices: 3,
    replicas: 3,
    files: ports => ({
      'container-server.conf': `[app:container-server]\nallowed_sync_hosts = 127.0.0.1, localhost:${ports.proxy}\n`,
      'account-server.conf': '[account-reaper]\ndelay_reaping = 604800\n',
    }),
  });
  client = createInternalClient(world);
  owner = store.as('test:tester');
});
afterAll(async () => {
  client.close();
  await store.stop();
});

const parts = () => {
  const { swiftDir } = store.storage;
  const ring = (kind: string) => openRing({ path: join(swiftDir, `${kind}.ring.gz`), clock: systemClock });
  return {
    rings: { account: ring('account'), container: ring('container'), object: ring('object') },
    pathHash: pathHash(hashPathSuffix(readConf(join(swiftDir, 'swift.conf')))),
    client,
    world,
  };
};

const section = (values: Record<string, string> = {}) =>
  confSection({
    devices: store.storage.devicesDir,
    mount_check: 'false',
    recon_cache_path: join(store.dir, 'cache'),
    slowdown: '0',
    ...values,
  });

const syncing = (hosts: string) => {
  const options = { bind_port: String(store.ports.container), allowed_sync_hosts: hosts };
  return syncPass({ ...parts(), options: syncOptions(section(options)) });
};

it('updater: an account learns the numbers of its containers', async () => {
  await owner('PUT', '/v1/AUTH_test/counted');
  for (const name of ['a', 'b', 'c']) await owner('PUT', `/v1/AUTH_test/counted/${name}`, {}, '12345');
  const numbers = async () => {
    const { headers } = await owner('HEAD', '/v1/AUTH_test');
    return [headers.get('x-account-object-count'), headers.get('x-account-bytes-used')];
  };
  expect(await numbers()).toEqual(['0', '0']);
  const pass = updaterPass({ ...parts(), ring: parts().rings.account, options: updaterOptions(section()) });
  await pass.run(signal);
  expect(await numbers()).toEqual(['3', '15']);
  expect(pass.counts()).toMatchObject({ successes: 3, failures: 0 });
  await pass.run(signal);
  expect(pass.counts()).toMatchObject({ successes: 0, unchanged: 3 });
});

it('sync: changes of a container reach another one, proved by its key', async () => {
  const url = `http://localhost:${store.ports.proxy}/v1/AUTH_test2/copy`;
  const other = store.as('test2:tester2');
  expect((await other('PUT', '/v1/AUTH_test2/copy', { 'X-Container-Sync-Key': 'shared' })).status).toBe(201);
  const made = await owner('PUT', '/v1/AUTH_test/synced', {
    'X-Container-Sync-To': url,
    'X-Container-Sync-Key': 'shared',
  });
  expect(made.status).toBe(201);
  await owner(
    'PUT',
    '/v1/AUTH_test/synced/doc%20one',
    { 'X-Object-Meta-Color': 'blue', 'Content-Type': 'text/x-doc' },
    'content',
  );
  await owner('PUT', '/v1/AUTH_test/synced/gone', {}, 'x');
  const sync = syncing(`localhost:${store.ports.proxy}`);
  await sync.run(signal);
  await sync.run(signal);
  const copy = await other('GET', '/v1/AUTH_test2/copy/doc%20one');
  const original = await owner('GET', '/v1/AUTH_test/synced/doc%20one');
  expect(copy.text).toBe('content');
  for (const name of ['x-timestamp', 'etag', 'content-type', 'x-object-meta-color']) {
    expect(copy.headers.get(name)).toBe(original.headers.get(name));
  }
  await owner('DELETE', '/v1/AUTH_test/synced/gone');
  await sync.run(signal);
  await sync.run(signal);
  expect((await other('GET', '/v1/AUTH_test2/copy/gone')).status).toBe(404);
  expect(sync.counts().failures).toBe(0);
  // Without the key nothing gets through.
  const forged = await store.ask(
    'PUT',
    '/v1/AUTH_test2/copy/x',
    { 'X-Container-Sync-Key': 'wrong', 'X-Timestamp': '1.0' },
    'x',
  );
  expect(forged.status).toBe(401);
  await sync.close();
});

it('sync: goes to no storage server, and nowhere at all unless an operator says where', async () => {
  const put = async (to: string, of: TestStore = store) =>
    (
      await of.as('test:tester')('PUT', '/v1/AUTH_test/astray', {
        'X-Container-Sync-To': to,
        'X-Container-Sync-Key': 'k',
      })
    ).status;
  const { proxy, account, container, object } = store.ports;
  for (const port of [account, container, object, 6000, 6001, 6002]) {
    expect(await put(`http://127.0.0.1:${port}/d1/1/AUTH_test2/copy`)).toBe(400);
  }
  expect(await put(`http://localhost:${proxy + 1}/v1/AUTH_test2/copy`)).toBe(400);
  const plain = await testStore();
  expect(await put(`http://127.0.0.1:${plain.ports.proxy}/v1/AUTH_test2/copy`, plain)).toBe(400);
  await plain.stop();
});

it('sync: what is written into a database by other hands still meets the door', async () => {
  const target = store.as('test2:tester2');
  await target('PUT', '/v1/AUTH_test2/inner', { 'X-Container-Sync-Key': 'k' });
  const to = `http://127.0.0.1:${store.ports.proxy}/v1/AUTH_test2/inner`;
  await owner('PUT', '/v1/AUTH_test/inward', {
    'X-Container-Sync-To': to,
    'X-Container-Sync-Key': 'k',
  });
  await owner('PUT', '/v1/AUTH_test/inward/o', {}, 'x');
  // A listed host is not a listed listener; a host that is not listed is none at all, as with the option's default.
  for (const hosts of ['127.0.0.1', 'elsewhere.example', '']) {
    const sync = syncing(hosts);
    await sync.run(signal);
    expect([hosts, sync.counts().puts]).toEqual([hosts, 0]);
    expect(sync.counts().failures).toBeGreaterThan(0);
    expect((await target('GET', '/v1/AUTH_test2/inner/o')).status).toBe(404);
    await sync.close();
  }
  const meant = syncing(`127.0.0.1:${store.ports.proxy}`);
  await meant.run(signal);
  await meant.run(signal);
  expect((await target('GET', '/v1/AUTH_test2/inner/o')).text).toBe('x');
  await meant.close();
  await owner('POST', '/v1/AUTH_test/inward', { 'X-Container-Sync-To': '', 'X-Container-Sync-Key': '' });
});

it('reaper: a deleted account loses its containers and objects', async () => {
  const admin = store.as('admin:admin');
  await admin('PUT', '/v1/AUTH_doomed');
  await admin('PUT', '/v1/AUTH_doomed/c');
  for (let i = 0; i < 5; i++) await admin('PUT', `/v1/AUTH_doomed/c/o${i}`, {}, 'x');
  expect((await admin('DELETE', '/v1/AUTH_doomed')).status).toBe(204);
  const { rings, pathHash: hashes } = parts();
  const place = rings.object.partition(hashes.prefix('AUTH_doomed', 'c', 'o0'));
  const [node] = rings.object.nodes(place);
  const direct = async () => {
    const response = await client.request(node!, {
      method: 'HEAD',
      path: `/${node!.device}/${place}/AUTH_doomed/c/o0`,
      headers: [],
      connectTimeoutMs: 1000,
      timeoutMs: 5000,
    });
    response.body.cancel();
    return response.status;
  };
  expect(await direct()).toBe(200);
  await reaperPass({
    ...parts(),
    options: reaperOptions(section({ bind_port: String(store.ports.account) })),
  }).run(signal);
  expect(await direct()).toBe(404);
  expect((await admin('GET', '/v1/AUTH_doomed')).status).toBe(403);
});

it('a reseller takes the deletion of an account back while it is whole, and nobody else', async () => {
  const admin = store.as('admin:admin');
  const undelete = { 'X-Account-Undelete': 'true' };
  await admin('PUT', '/v1/AUTH_test2/kept');
  await admin('PUT', '/v1/AUTH_test2/kept/o', {}, 'data');
  expect((await admin('DELETE', '/v1/AUTH_test2')).status).toBe(204);
  const reaper = reaperPass({
    ...parts(),
    options: reaperOptions(section({ bind_port: String(store.ports.account), delay_reaping: '604800' })),
  });
  await reaper.run(signal);
  expect((await admin('GET', '/v1/AUTH_test2')).status).toBe(403);
  expect((await store.as('test2:tester2')('PUT', '/v1/AUTH_test2', undelete)).status).toBe(403);
  expect((await admin('PUT', '/v1/AUTH_test2')).status).toBe(403);
  expect((await admin('PUT', '/v1/AUTH_test2', undelete)).status).toBe(202);
  expect((await admin('GET', '/v1/AUTH_test2')).text).toContain('kept\n');
  await reaper.run(signal);
  expect((await store.as('test2:tester2')('GET', '/v1/AUTH_test2/kept/o')).text).toBe('data');
});
