import { createLogger } from '@folsom/core';
import { expect, it } from 'vitest';
import { testStore } from '../fixtures/object-store.ts';

const MARK = 'c0ffee5ec2e7';

it('no secret of a request stands in any line of the log, whatever its spelling and its answer', async () => {
  const lines: string[] = [];
  const store = await testStore({
    world: { log: createLogger({ level: 'debug', write: line => lines.push(line) }) },
  });
  const owner = store.as('test:tester');
  await owner('PUT', '/v1/AUTH_test/c');
  await owner('POST', '/v1/AUTH_test', { 'X-Account-Meta-Temp-URL-Key': `key${MARK}` });
  await owner('PUT', '/v1/AUTH_test/c/o', {}, 'data');
  const names = ['temp_url_sig', 'TEMP_URL_SIG', 'temp%5Furl_sig', 't%65mp_url_sig', 'token', 'tok%65n'];
  names.push(
    'Token',
    'tokenid',
    'x-auth-token',
    'X%2DAuth%2DToken',
    'X-Storage-Token',
    'signature',
    'adminPass',
    'pass%77ord',
    'access_token',
  );
  for (const path of [
    '/v1/AUTH_test',
    '/v1/AUTH_test/c',
    '/v1/AUTH_test/c/o',
    '/v1/AUTH_test//o',
    '/nowhere',
  ]) {
    for (const name of names) {
      for (const method of ['GET', 'PUT', 'DELETE', 'FOO']) {
        const target = `${path}?temp_url_expires=9999999999&${name}=${MARK}`;
        await store.ask(method, target, { Referer: `http://x${target}` });
      }
      await owner('GET', `${path}?${name}=${MARK}`);
    }
    for (const header of [
      'X-Auth-Token',
      'X-Storage-Token',
      'X-Container-Sync-Key',
      'Authorization',
      'Cookie',
    ]) {
      await store.ask('GET', path, { [header]: `AWS a:${MARK}` });
    }
  }
  const token = await store.ask('GET', '/auth/v1.0', {
    'X-Auth-User': 'test:tester',
    'X-Auth-Key': 'testing',
  });
  await store.stop();
  // Lines arrive in batches.
  const all = lines.join('');
  expect(all.split('\n').filter(line => line.includes('"access"')).length).toBeGreaterThan(50);
  expect(all.split('\n').filter(line => line.includes(MARK))).toEqual([]);
  expect(all).not.toContain(token.headers.get('x-auth-token')!);
});
