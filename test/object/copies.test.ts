import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestStore, testStore } from '../fixtures/object-store.ts';

/** Copies take what their headers say, no more and no less. */
const C = '/v1/AUTH_test/c';
let store: TestStore;
let owner: ReturnType<TestStore['as']>;

beforeAll(async () => {
  store = await testStore({ devices: 3, replicas: 3 });
  owner = store.as('test:tester');
  await owner('PUT', C);
  await owner('PUT', `${C}/o`, { 'Content-Type': 'a/b', 'X-Object-Meta-A': '1' }, 'hello');
  for (const [n, text] of ['abc', 'def'].entries()) await owner('PUT', `${C}/seg/${n}`, {}, text);
  await owner('PUT', `${C}/manifest`, { 'X-Object-Manifest': 'c/seg/' }, '');
});
afterAll(() => store.stop());

const ways = {
  COPY: (from: string, headers: Record<string, string>) =>
    owner('COPY', `${C}/${from}`, { Destination: 'c/x', ...headers }),
  'X-Copy-From': (from: string, headers: Record<string, string>) =>
    owner('PUT', `${C}/x`, { 'X-Copy-From': `c/${from}`, ...headers }, ''),
};

describe.each(Object.entries(ways))('%s', (_, copy) => {
  it.each([
    ['o', 'bytes=1-2', 'el'],
    ['o', 'bytes=-2', 'lo'],
    ['o', 'bytes=+1-2', 'el'],
    ['o', 'bytes=5-2', 'hello'],
    ['manifest', 'bytes=2-3', 'cd'],
  ])('of %s takes the range %s', async (from, range, text) => {
    const copied = await copy(from, { Range: range });
    expect(copied.status).toBe(201);
    expect(copied.headers.get('etag')).toBe(hash('md5', text, 'hex'));
    const read = await owner('GET', `${C}/x`);
    expect([read.status, read.text, read.headers.get('content-length')]).toEqual([
      200,
      text,
      String(text.length),
    ]);
    if (from === 'o') expect(read.headers.get('x-object-meta-a')).toBe('1');
  });

  it.each([
    [{ Range: 'bytes=9-' }, 416],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': hash('md5', 'hello', 'hex') }, 304],
    [{ 'If-Match': 'x' }, 412],
    [{ 'If-Modified-Since': 'Thu, 01 Jan 2037 00:00:00 GMT' }, 304],
    [{ 'If-Unmodified-Since': 'Thu, 01 Jan 1998 00:00:00 GMT' }, 412],
  ])('under %j answers %i and makes nothing', async (headers, status) => {
    await owner('DELETE', `${C}/x`);
    expect((await copy('o', headers)).status).toBe(status);
    expect((await owner('HEAD', `${C}/x`)).status).toBe(404);
  });
});

it('an empty X-Copy-From is none', async () => {
  expect((await owner('PUT', `${C}/plain`, { 'X-Copy-From': '' }, '')).status).toBe(201);
  expect((await owner('PUT', `${C}/plain`, { 'X-Copy-From': '' }, 'bytes')).status).toBe(400);
});

it('new metadata keep the whole object, whatever range is named', async () => {
  expect((await owner('POST', `${C}/o`, { Range: 'bytes=1-2', 'X-Object-Meta-A': '2' })).status).toBe(202);
  expect((await owner('GET', `${C}/o`)).text).toBe('hello');
});

it.each([
  ['bytes=1-2', 206, 'bytes 1-2/5', '2'],
  ['bytes=-1', 206, 'bytes 4-4/5', '1'],
  ['bytes=9-', 416, undefined, undefined],
  ['bytes=2-1', 200, undefined, '5'],
])('HEAD with the range %s: %i', async (range, status, contentRange, length) => {
  const head = await owner('HEAD', `${C}/o`, { Range: range });
  expect([head.status, head.headers.get('content-range')]).toEqual([status, contentRange]);
  if (length) expect(head.headers.get('content-length')).toBe(length);
});

it('HEAD takes If-None-Match: * for no condition, as swift 1.7 does', async () => {
  expect((await owner('HEAD', `${C}/o`, { 'If-None-Match': '*' })).status).toBe(200);
  expect((await owner('GET', `${C}/o`, { 'If-None-Match': '*' })).status).toBe(304);
});
