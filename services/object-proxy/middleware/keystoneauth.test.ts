import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { parseConf } from '@folsom/swift';
import { answer, type ServerRequest } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { type KeystoneIdentity, proxyRequest } from '../request.ts';
import { keystoneAuth } from './keystoneauth.ts';
import type { Tools } from './middleware.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
const conf = parseConf('[filter:keystoneauth]\noperator_roles = admin, swiftoperator').section(
  'filter:keystoneauth',
);

const person = (tenantId: string, ...roles: string[]): KeystoneIdentity => ({
  userName: 'anna',
  tenantId,
  tenantName: `${tenantId}-name`,
  roles,
});

/** The status that somebody gets for a path whose access list is `acl`; the application asks as the proxy does. */
async function status(path: string, identity: KeystoneIdentity | null, acl?: string): Promise<number> {
  const app = keystoneAuth(
    async request => {
      request.acl = acl;
      return request.authorize?.(request) ?? answer(200, request);
    },
    conf,
    {} as Tools,
  );
  const http = { method: 'GET', target: path, version: '1.1', headers: new Map(), remoteAddress: '10.0.0.1' };
  const request = proxyRequest(http as unknown as ServerRequest, world);
  request.identity = identity;
  return (await app(request)).status;
}

it.each([
  ['an operator of the tenant', person('one', 'swiftoperator'), 200],
  ['a member without such a role', person('one', 'Member'), 403],
  ['an operator of another tenant', person('two', 'swiftoperator'), 403],
  ['an admin of another tenant', person('two', 'admin'), 403],
  ["an operator of a tenant with the same name's beginning", person('on', 'admin'), 403],
  ['a reseller admin', person('two', 'ResellerAdmin'), 200],
  ['nobody', null, 401],
] as const)('an account is for its own operators: %s', async (_who, identity, expected) => {
  for (const path of ['/v1/AUTH_one', '/v1/AUTH_one/c', '/v1/AUTH_one/c/o']) {
    expect(await status(path, identity), path).toBe(expected);
  }
});

it.each([
  ['.r:*', '/v1/AUTH_one/c/o', 200],
  ['.r:*', '/v1/AUTH_one/c', 401],
  ['.r:*,.rlistings', '/v1/AUTH_one/c', 200],
  ['.rlistings', '/v1/AUTH_one/c', 401],
  ['.r:.example.com', '/v1/AUTH_one/c/o', 401],
] as const)('anybody by %s: %s gives %i', async (acl, path, expected) => {
  expect(await status(path, null, acl)).toBe(expected);
});

it.each([
  ['one-name:anna', 200],
  ['one:anna', 200],
  ['Member', 200],
  ['one:bert', 403],
  ['two:anna', 403],
  ['', 403],
] as const)('a member of the tenant by %s gets %i, one of another nothing', async (acl, expected) => {
  expect(await status('/v1/AUTH_one/c/o', person('one', 'Member'), acl)).toBe(expected);
  expect(await status('/v1/AUTH_one/c/o', person('two', 'Member'), acl)).toBe(403);
});

it.each(['/v1/one/c/o', '/v1/auth_one/c/o', '/v1/AUTH_one-name/c/o', '/v1/AUTH_/c/o'])(
  "%s is no account of an operator's",
  async path => {
    expect(await status(path, person('one', 'swiftoperator'))).toBe(403);
  },
);

it('an operator of no tenant has no account', async () => {
  const unscoped = { ...person('', 'admin'), tenantId: null };
  for (const identity of [unscoped, person('', 'admin')]) {
    for (const account of ['AUTH_null', 'AUTH_']) {
      expect([401, 403]).toContain(await status(`/v1/${account}/c/o`, identity));
    }
  }
});
