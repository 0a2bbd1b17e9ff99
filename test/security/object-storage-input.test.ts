import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answered, type TestStore, testStore } from '../fixtures/object-store.ts';

/** Whatever is sent to the object store is answered with one of its own refusals: never a 500, never silence. */
let store: TestStore;
let owner: ReturnType<TestStore['as']>;
let other: ReturnType<TestStore['as']>;

beforeAll(async () => {
  store = await testStore();
  owner = store.as('test:tester');
  other = store.as('test:tester3');
  expect((await owner('PUT', '/v1/AUTH_test/c')).status).toBe(201);
  expect((await owner('PUT', '/v1/AUTH_test/c/o', {}, 'kept')).status).toBe(201);
});
afterAll(() => store.stop());

const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'POST',
  'DELETE',
  'COPY',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'REPLICATE',
  'BOGUS',
];
const LONG = 'x'.repeat(3000);
const PATHS = [
  '/',
  '/v1',
  '/v1/',
  '/v2/AUTH_test',
  '/v1.0/AUTH_test/c',
  '//v1/AUTH_test',
  '/v1/AUTH_test',
  '/v1/AUTH_test/',
  '/v1/AUTH_test//o',
  '/v1/AUTH_test/c/',
  '/v1/AUTH_test/c//',
  '/v1/AUTH_test/c/o/../../../etc/passwd',
  '/v1/AUTH_test/../AUTH_other/c',
  '/v1/AUTH_test/%2e%2e/%2e%2e',
  '/v1/AUTH_test/c/%00',
  '/v1/AUTH_test/%ff%fe/o',
  '/v1/AUTH_test/c/%zz',
  '/v1/AUTH_test/c/%',
  `/v1/AUTH_test/${LONG.slice(0, 257)}`,
  `/v1/AUTH_test/c/${LONG.slice(0, 1025)}`,
  '/v1/AUTH_other/c/o',
  '/v1/AUTH_/c/o',
  '/v1/%0d%0aX:%20y/c',
  '/auth/v1.0',
  '/auth/v1.0/more',
  '/healthcheck',
  '/info',
  '/crossdomain.xml',
  '*',
  'http://elsewhere/v1/AUTH_test/c/other',
];
const VALUES = ['', '-1', '0', '1e99', '9'.repeat(40), '\u00ff', '//', 'a/b/c', '%2e%2e/..', '{}<x>', LONG];
const HEADERS = [
  'Range',
  'If-Match',
  'If-None-Match',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'ETag',
  'Content-Type',
  'Content-Encoding',
  'Expect',
  'X-Timestamp',
  'X-Delete-At',
  'X-Delete-After',
  'X-Copy-From',
  'Destination',
  'X-Object-Manifest',
  'X-Object-Meta-',
  'X-Object-Meta-A',
  'X-Container-Meta-Quota-Bytes',
  'X-Container-Read',
  'X-Container-Write',
  'X-Container-Sync-To',
  'X-Container-Sync-Key',
  'X-Versions-Location',
  'X-Account-Meta-Temp-URL-Key',
  'X-Newest',
  'X-Trans-Id',
  'X-Storage-Token',
  'X-Auth-User',
  'X-Auth-Key',
  'Origin',
  'Access-Control-Request-Method',
];

const sound = (what: string, answer: Answered): void => {
  expect(
    answer.status < 500 || answer.status === 501,
    `${what}: ${answer.status} ${answer.text.slice(0, 200)}`,
  ).toBe(true);
  expect(answer.text, what).not.toMatch(/\n {4}at |node_modules|SQLITE|Error:/);
};

/** What is kept is still there, and only for its owner. */
const untouched = async (): Promise<void> => {
  expect((await owner('GET', '/v1/AUTH_test/c/o')).text).toBe('kept');
  expect((await other('GET', '/v1/AUTH_test/c/o')).status).toBe(403);
};

describe('the object store', () => {
  it('answers every method on every path, with and without a token', async () => {
    for (const path of PATHS) {
      for (const method of METHODS) {
        // The owner may delete what is his.
        const mine = method !== 'DELETE' || !/^\/v1\/AUTH_test\/?$/.test(path);
        for (const [who, ask] of [
          ['nobody', store.ask],
          ['another', other],
          ...(mine ? ([['the owner', owner]] as const) : []),
        ] as const) {
          sound(`${who}: ${method} ${path.slice(0, 80)}`, await ask(method, path, {}));
        }
      }
    }
    await untouched();
  });

  it('answers every value in every header', async () => {
    for (const name of HEADERS) {
      for (const value of VALUES) {
        const headers = { [name]: value };
        const what = `${name}: ${value.slice(0, 40)}`;
        if (/Container|Versions|Account/.test(name)) {
          sound(`PUT container ${what}`, await owner('PUT', '/v1/AUTH_test/odd', headers));
          sound(`POST account ${what}`, await owner('POST', '/v1/AUTH_test', headers));
        } else {
          sound(`PUT ${what}`, await owner('PUT', '/v1/AUTH_test/c/odd', headers, 'x'));
          sound(`POST object ${what}`, await owner('POST', '/v1/AUTH_test/c/odd', headers));
          sound(`GET ${what}`, await owner('GET', '/v1/AUTH_test/c/o', headers));
        }
        if (name === 'Destination')
          sound(`COPY ${what}`, await owner('COPY', '/v1/AUTH_test/c/odd', headers));
      }
    }
    await untouched();
  });

  it('answers every value in every query', async () => {
    const names = [
      'limit',
      'marker',
      'end_marker',
      'prefix',
      'delimiter',
      'path',
      'format',
      'temp_url_sig',
      'temp_url_expires',
      'multipart-manifest',
      'bogus',
    ];
    for (const path of ['/v1/AUTH_test', '/v1/AUTH_test/c', '/v1/AUTH_test/c/o']) {
      for (const name of names) {
        for (const value of VALUES) {
          const query = `${path}?${name}=${encodeURIComponent(value)}`;
          sound(query.slice(0, 120), await owner('GET', query));
        }
        sound(`${path}?${name}=%ff%00`, await owner('GET', `${path}?${name}=%ff%00`));
      }
    }
    await untouched();
  });

  it('answers on the level of the connection', async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = net.connect(store.ports.proxy, '127.0.0.1', () =>
          socket.write(Buffer.from(text, 'latin1')),
        );
        let out = '';
        socket.setTimeout(20_000, () => socket.destroy(new Error(`no answer to ${text.slice(0, 80)}`)));
        socket.on('data', data => {
          out += data;
        });
        socket.on('close', () => resolve(out));
        socket.on('error', error => (out ? resolve(out) : reject(error)));
      });
    const head = 'Host: x\r\nConnection: close\r\n';
    for (const text of [
      `GET /v1/AUTH_test HTTP/1.1\r\n${head}X-Big: ${'y'.repeat(60_000)}\r\n\r\n`,
      `PUT /v1/AUTH_test/c/o HTTP/1.1\r\n${head}Content-Length: abc\r\n\r\n`,
      `PUT /v1/AUTH_test/c/o HTTP/1.1\r\n${head}Content-Length: -5\r\n\r\n`,
      `PUT /v1/AUTH_test/c/o HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `PUT /v1/AUTH_test/c/o HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n`,
      `GET  HTTP/1.1\r\n${head}\r\n`,
      `GET / HTTP/9.9\r\n${head}\r\n`,
      `GET / HTTP/1.1\r\nbad header\r\n\r\n`,
      '\x00\x01\x02\r\n\r\n',
    ])
      expect(await raw(text), text.slice(0, 80)).toMatch(/^HTTP\/1\.[01] 4\d\d /);
    await untouched();
  });
});
