import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type TestStore, testStore } from '../fixtures/object-store.ts';

/** A destructive request that is not exactly what it should be is refused, and costs nothing. */
let store: TestStore;
let owner: ReturnType<TestStore['as']>;
let reseller: ReturnType<TestStore['as']>;

beforeAll(async () => {
  store = await testStore();
  owner = store.as('test:tester');
  reseller = store.as('admin:admin');
});
afterAll(() => store.stop());
beforeEach(async () => {
  await owner('PUT', '/v1/AUTH_test/box');
  await owner('PUT', '/v1/AUTH_test/box/file', {}, 'data');
});

const intact = async (): Promise<void> => {
  expect((await owner('GET', '/v1/AUTH_test')).text).toBe('box\n');
  expect((await owner('GET', '/v1/AUTH_test/box/file')).text).toBe('data');
};

it.each([
  ['a bulk delete of later clients', '?bulk-delete=1', 'box/file'],
  ['a bulk delete without names', '?bulk-delete', undefined],
  ['any other query', '?x', undefined],
  ['a body', '', 'box/file'],
])('deleting an account with %s is refused, even to a reseller', async (_, query, body) => {
  for (const ask of [owner, reseller]) {
    const answered = await ask('DELETE', `/v1/AUTH_test${query}`, {}, body);
    expect(answered.status).toBeGreaterThanOrEqual(400);
    expect(answered.status).toBeLessThan(500);
  }
  await intact();
});

it.each(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'COPY'])(
  '%s of a path with an empty container name is a bad URL',
  async method => {
    for (const path of [
      '/v1/AUTH_test//file',
      '/v1/AUTH_test//',
      '/v1/AUTH_test//a/b',
      '/v1/AUTH_test//?x',
    ]) {
      for (const ask of [owner, reseller]) {
        const answered = await ask(method, path, method === 'COPY' ? { Destination: 'box/file' } : {});
        expect([path, answered.status, method === 'HEAD' ? 'Bad URL' : answered.text]).toEqual([
          path,
          412,
          'Bad URL',
        ]);
      }
    }
    await intact();
  },
);

it('deleting a container without a name is not deleting the account', async () => {
  expect((await reseller('DELETE', '/v1/AUTH_test/')).status).toBe(412);
  expect((await owner('GET', '/v1/AUTH_test/')).status).toBe(200);
  await intact();
});

it('users never delete their account, and nobody does unless accounts are managed', async () => {
  expect((await owner('DELETE', '/v1/AUTH_test')).status).toBe(403);
  await intact();
  const plain = await testStore({ app: 'allow_account_management = false' });
  const as = plain.as('admin:admin');
  expect((await plain.as('test:tester')('PUT', '/v1/AUTH_test/made')).status).toBe(201);
  expect((await as('DELETE', '/v1/AUTH_test')).status).toBe(405);
  expect((await as('PUT', '/v1/AUTH_new')).status).toBe(405);
  expect((await as('GET', '/v1/AUTH_test')).text).toBe('made\n');
  await plain.stop();
});

it('moving and purging a segmented object leaves everything else', async () => {
  await owner('PUT', '/v1/AUTH_test/big_segments');
  for (const n of ['1', '2']) await owner('PUT', `/v1/AUTH_test/big_segments/file/${n}`, {}, n);
  await owner('PUT', '/v1/AUTH_test/box/big', { 'X-Object-Manifest': 'big_segments/file/' }, '');
  // What rclone does to move it: a copy, the segments in one request (refused here), then the manifest.
  expect(
    (await owner('COPY', '/v1/AUTH_test/box/big', { Destination: 'box/moved' })).headers.get('x-copied-from'),
  ).toBe('box/big');
  const bulk = await owner(
    'DELETE',
    '/v1/AUTH_test?bulk-delete=1',
    {},
    'big_segments/file/1\nbig_segments/file/2',
  );
  expect(bulk.status).toBe(403);
  expect((await owner('DELETE', '/v1/AUTH_test/box/big')).status).toBe(204);
  expect((await owner('GET', '/v1/AUTH_test/box/moved')).text).toBe('12');
  expect((await owner('GET', '/v1/AUTH_test/box')).text).toBe('file\nmoved\n');
  for (const path of ['box/moved', 'big_segments/file/1', 'big_segments/file/2', 'big_segments']) {
    expect((await owner('DELETE', `/v1/AUTH_test/${path}`)).status).toBe(204);
  }
  await intact();
});
