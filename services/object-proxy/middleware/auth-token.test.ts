import { staticValidator, type TokenValidator } from '@folsom/auth';
import { Fault, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { parseConf } from '@folsom/swift';
import { answer, type ServerRequest } from '@folsom/swift-http';
import { expect, it } from 'vitest';
import { proxyRequest } from '../request.ts';
import { authToken } from './auth-token.ts';
import type { Tools } from './middleware.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };

/** What somebody with a token is answered by a proxy that leaves it to others who may come without one. */
async function status(validator: TokenValidator, token?: string): Promise<number> {
  const conf = parseConf('[filter:authtoken]\ndelay_auth_decision = 1').section('filter:authtoken');
  const app = authToken(async request => answer(request.identity ? 200 : 204, request), conf, {
    validator,
    log: silentLogger,
  } as unknown as Tools);
  const headers = new Map(token === undefined ? [] : [['x-auth-token', token]]);
  const http = {
    method: 'PUT',
    target: '/v1/AUTH_one/c/o',
    version: '1.1',
    headers,
    remoteAddress: '10.0.0.1',
  };
  return (await app(proxyRequest(http as unknown as ServerRequest, world))).status;
}

it('asks again later is said where nobody can tell whether a token is good', async () => {
  const away: TokenValidator = {
    validate: async () => {
      throw new Fault('IdentityUnavailable', 503, 'the identity service does not answer');
    },
  };
  expect(await status(away, 'token')).toBe(503);
  expect(await status(away)).toBe(204);
  expect(await status(staticValidator({ good: {} }), 'good')).toBe(200);
  expect(await status(staticValidator({ good: {} }), 'bad')).toBe(204);
});
