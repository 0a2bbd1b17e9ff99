import net from 'node:net';
import { systemClock } from '@folsom/core';
import { formSignature, tempUrl } from '@folsom/object-tools';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestStore, testStore } from '../fixtures/object-store.ts';

/** What users do beyond plain reads and writes, through the whole pipeline of a real store. */
const KEY = 'of the account';
let store: TestStore;
let owner: ReturnType<TestStore['as']>;
let skewMs = 0;

beforeAll(async () => {
  const clock = { ...systemClock, now: () => systemClock.now() + skewMs };
  store = await testStore({ devices: 3, replicas: 3, world: { clock } });
  owner = store.as('test:tester');
  await owner('PUT', '/v1/AUTH_test/c');
  await owner('POST', '/v1/AUTH_test', { 'X-Account-Meta-Temp-URL-Key': KEY });
});
afterAll(() => store.stop());

const now = (): number => (systemClock.now() + skewMs) / 1000;

describe('temporary URLs', () => {
  const signed = (method: string, path: string, seconds = 60): string =>
    tempUrl([method, String(seconds), path, KEY], now()).text.trim();

  it('let anybody read, or write, one object for a while', async () => {
    await owner(
      'PUT',
      '/v1/AUTH_test/c/temp',
      { 'X-Object-Meta-Secret': 's', 'X-Object-Meta-Public-A': 'a' },
      'data',
    );
    const read = await store.ask('GET', signed('GET', '/v1/AUTH_test/c/temp'));
    expect([read.status, read.text]).toEqual([200, 'data']);
    expect(read.headers.get('content-disposition')).toBe('attachment; filename=temp');
    expect([read.headers.get('x-object-meta-public-a'), read.headers.get('x-object-meta-secret')]).toEqual([
      'a',
      undefined,
    ]);
    const written = await store.ask('PUT', signed('PUT', '/v1/AUTH_test/c/new'), {}, 'from outside');
    expect(written.status).toBe(201);
    expect((await owner('GET', '/v1/AUTH_test/c/new')).text).toBe('from outside');
    for (const method of ['GET', 'PUT']) {
      expect((await store.ask('HEAD', signed(method, '/v1/AUTH_test/c/new'))).status).toBe(200);
    }
  });

  it('and nothing else, no longer', async () => {
    const good = signed('GET', '/v1/AUTH_test/c/temp');
    expect((await store.ask('PUT', good, {}, 'x')).status).toBe(401);
    expect((await store.ask('DELETE', good)).status).toBe(401);
    expect((await store.ask('GET', good.replace('/c/temp', '/c/new'))).status).toBe(401);
    expect((await store.ask('GET', signed('GET', '/v1/AUTH_test/c/temp', -5))).status).toBe(401);
    expect((await store.ask('GET', good.replace(/expires=\d+/, 'expires=soon'))).status).toBe(401);
  });

  it('follow a change of the key within a minute: it is kept that long', async () => {
    const path = '/v1/AUTH_test/c/temp';
    expect((await store.ask('GET', signed('GET', path))).status).toBe(200);
    await owner('POST', '/v1/AUTH_test', { 'X-Account-Meta-Temp-URL-Key': 'another' });
    expect((await store.ask('GET', signed('GET', path))).status).toBe(200);
    await owner('POST', '/v1/AUTH_test', { 'X-Account-Meta-Temp-URL-Key': KEY });
  });
});

describe('forms', () => {
  const PATH = '/v1/AUTH_test/c/form_';
  const post = (
    files: Record<string, string>,
    { redirect = 'http://web/done', size = '100', count = '2', seconds = '60' } = {},
  ) => {
    const [expires, signature] = formSignature([PATH, redirect, size, count, seconds, KEY], now())
      .text.split('\n')
      .map(line => line.split(': ')[1]!);
    const fields = {
      redirect,
      max_file_size: size,
      max_file_count: count,
      expires: expires!,
      signature: signature!,
    };
    const part = (head: string, value: string) =>
      `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
    const body =
      Object.entries(fields)
        .map(([name, value]) => part(`name="${name}"`, value))
        .join('') +
      Object.entries(files)
        .map(([name, value], i) => part(`name="file${i}"; filename="${name}"`, value))
        .join('') +
      '--b--\r\n';
    return store.ask('POST', PATH, { 'Content-Type': 'multipart/form-data; boundary=b' }, body);
  };

  it('upload straight into a container and send the browser on', async () => {
    const done = await post({ 'one.txt': '1', 'two.txt': '22' });
    expect([done.status, done.headers.get('location')]).toEqual([303, 'http://web/done?status=201&message=']);
    expect((await owner('GET', '/v1/AUTH_test/c/form_two.txt')).text).toBe('22');
  });

  it('say what was wrong', async () => {
    const messages = [
      await post({ big: 'x'.repeat(101) }),
      await post({ a: '1', b: '2', c: '3' }),
      await post({}),
    ].map(({ headers }) => headers.get('location'));
    expect(messages).toEqual([
      'http://web/done?status=499&message=',
      'http://web/done?status=400&message=max%20file%20count%20exceeded',
      'http://web/done?status=400&message=no%20files%20to%20process',
    ]);
    const late = await post({ a: '1' }, { seconds: '-5' });
    expect(late.headers.get('location')).toBe('http://web/done?status=401&message=form%20expired');
    expect((await owner('GET', '/v1/AUTH_test/c/form_big')).status).toBe(404);
  });
});

it('a container is a web site: index, listings, an error page', async () => {
  await owner('PUT', '/v1/AUTH_test/site', { 'X-Container-Read': '.r:*,.rlistings' });
  await owner('PUT', '/v1/AUTH_test/site/index.html', {}, 'welcome');
  await owner('PUT', '/v1/AUTH_test/site/404oops.html', {}, 'not here');
  await owner('PUT', '/v1/AUTH_test/site/sub/page.html', {}, 'page');
  await owner('POST', '/v1/AUTH_test/site', {
    'X-Container-Meta-Web-Index': 'index.html',
    'X-Container-Meta-Web-Error': 'oops.html',
    'X-Container-Meta-Web-Listings': 'true',
  });
  const moved = await store.ask('GET', '/v1/AUTH_test/site');
  expect([moved.status, moved.headers.get('location')]).toEqual([
    301,
    expect.stringMatching(/\/v1\/AUTH_test\/site\/$/),
  ]);
  expect((await store.ask('GET', '/v1/AUTH_test/site/')).text).toBe('welcome');
  const listing = await store.ask('GET', '/v1/AUTH_test/site/sub/');
  expect(listing.headers.get('content-type')).toContain('text/html');
  expect(listing.text).toContain('page.html');
  const missing = await store.ask('GET', '/v1/AUTH_test/site/nowhere');
  expect([missing.status, missing.text]).toEqual([404, 'not here']);
  // whoever comes with a token sees the container as it is
  expect((await owner('GET', '/v1/AUTH_test/site')).text).toContain('index.html\n');
});

it('older versions are kept aside and come back when the newer ones are deleted', async () => {
  await owner('PUT', '/v1/AUTH_test/archive');
  await owner('PUT', '/v1/AUTH_test/kept', { 'X-Versions-Location': 'archive' });
  for (const text of ['one', 'two', 'three']) {
    await owner('PUT', '/v1/AUTH_test/kept/o', {}, text);
    skewMs += 1000;
  }
  expect((await owner('GET', '/v1/AUTH_test/archive')).text.trim().split('\n')).toHaveLength(2);
  for (const text of ['three', 'two', 'one']) {
    expect((await owner('GET', '/v1/AUTH_test/kept/o')).text).toBe(text);
    expect((await owner('DELETE', '/v1/AUTH_test/kept/o')).status).toBe(204);
    skewMs += 1000;
  }
  expect((await owner('GET', '/v1/AUTH_test/kept/o')).status).toBe(404);
  expect((await owner('GET', '/v1/AUTH_test/archive')).status).toBe(204);
});

it('an archive that no container can be is the client’s mistake, and takes nothing away', async () => {
  for (const [at, place] of ['%2F', 'archive%2Fo', '/archive', 'x'.repeat(257), '%ff'].entries()) {
    const path = `/v1/AUTH_test/odd${at}`;
    await owner('PUT', path, { 'X-Versions-Location': place });
    expect((await owner('PUT', `${path}/o`, {}, 'one')).status).toBe(201);
    expect([place, (await owner('PUT', `${path}/o`, {}, 'two')).status]).toEqual([place, 412]);
    expect((await owner('GET', `${path}/o`)).text).toBe('one');
    expect((await owner('DELETE', `${path}/o`)).status).toBe(204);
  }
});

it('objects end when their time has come', async () => {
  const end = Math.floor(now()) + 60;
  expect((await owner('PUT', '/v1/AUTH_test/c/brief', { 'X-Delete-At': String(end) }, 'x')).status).toBe(201);
  expect((await owner('PUT', '/v1/AUTH_test/c/brief2', { 'X-Delete-After': '60' }, 'x')).status).toBe(201);
  expect((await owner('GET', '/v1/AUTH_test/c/brief')).headers.get('x-delete-at')).toBe(String(end));
  expect((await owner('PUT', '/v1/AUTH_test/c/past', { 'X-Delete-At': '1' }, 'x')).status).toBe(400);
  expect((await owner('PUT', '/v1/AUTH_test/c/odd', { 'X-Delete-After': 'soon' }, 'x')).status).toBe(400);
  skewMs += 61_000;
  for (const name of ['brief', 'brief2']) {
    expect((await owner('GET', `/v1/AUTH_test/c/${name}`)).status).toBe(404);
    expect((await owner('POST', `/v1/AUTH_test/c/${name}`, { 'X-Object-Meta-A': 'b' })).status).toBe(404);
  }
});

/** Sends raw pieces, each after an answer to the one before has begun; resolves to all that came back. */
function converse(port: number, pieces: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.write(pieces.shift()!);
    socket.on('data', chunk => {
      text += chunk.toString('latin1');
      const next = pieces.shift();
      if (next !== undefined) socket.write(next);
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

it('uploads in chunks, and after 100 Continue; nothing is read from those who may not write', async () => {
  const login = await store.ask('GET', '/auth/v1.0', {
    'X-Auth-User': 'test:tester',
    'X-Auth-Key': 'testing',
  });
  const head = (name: string, ...more: string[]) =>
    [`PUT /v1/AUTH_test/c/${name} HTTP/1.1`, 'Host: x', 'Connection: close', ...more, '', ''].join('\r\n');
  const token = `X-Auth-Token: ${login.headers.get('x-auth-token')}`;
  const chunked = await converse(store.ports.proxy, [
    `${head('chunked', token, 'Transfer-Encoding: chunked')}4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n`,
  ]);
  expect(chunked).toMatch(/^HTTP\/1\.1 201 Created/);
  expect((await owner('GET', '/v1/AUTH_test/c/chunked')).text).toBe('abcdef');
  const asked = [head('asked', token, 'Content-Length: 5', 'Expect: 100-continue'), 'hello'];
  expect(await converse(store.ports.proxy, asked)).toMatch(
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 Created/,
  );
  expect((await owner('GET', '/v1/AUTH_test/c/asked')).text).toBe('hello');
  const refused = [head('refused', 'Content-Length: 5', 'Expect: 100-continue')];
  expect(await converse(store.ports.proxy, refused)).toMatch(/^HTTP\/1\.1 401 /);
  const broken = await converse(store.ports.proxy, [
    `${head('broken', token, 'Transfer-Encoding: chunked')}zz\r\nabcd\r\n0\r\n\r\n`,
  ]);
  expect(broken).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect((await owner('GET', '/v1/AUTH_test/c/broken')).status).toBe(404);
});
