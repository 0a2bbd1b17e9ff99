import { createHmac, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  type AuthTokenSettings,
  authTokenHook,
  authTokenOptions,
  authTokenSettings,
  checkSigningDir,
  type IdentityValidator,
  identityValidator,
  keystoneClient,
  offlineValidator,
  type RedisLike,
  redisTokenCache,
  revocationList,
  type SignedToken,
  signedTokenReader,
  signToken,
  staticValidator,
  type TokenValidator,
} from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { createLogger, Fault, type Logger, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { run } from '@folsom/host';
import { type App, createApp } from '@folsom/http';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from '@folsom/identity/testing';
import { eventually, fakeClock, serverMissing, startRedis, tempDir } from '@folsom/testing';
import { afterEach, describe, expect, it } from 'vitest';

// The published holes of the auth_token middleware and of clients, by their number in the list of advisories.

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

const settingsFor = (section: Record<string, string>): AuthTokenSettings =>
  authTokenSettings(configFrom([authTokenOptions], { keystone_authtoken: section }));

/** Settings of a service `svc` that uses this identity service. */
async function serviceSettings(
  cloud: TestIdentity,
  more: Record<string, string> = {},
): Promise<AuthTokenSettings> {
  await cloud.person('svc', { role: 'admin', tenant: 'service' });
  const { hostname, port } = new URL(cloud.adminUrl);
  return settingsFor({
    auth_protocol: 'http',
    auth_host: hostname,
    auth_port: port,
    admin_user: 'svc',
    admin_password: TEST_PASSWORD,
    admin_tenant_name: 'service',
    ...more,
  });
}

/** A service that answers who it takes the caller for, after a moment. */
async function whoAmI(
  validator: TokenValidator,
  more: { delayAuthDecision?: boolean; log?: Logger } = {},
): Promise<string> {
  const app: App = createApp({
    name: 'who-am-i',
    world,
    renderFault: (fault: Fault) => ({ status: fault.status, headers: {}, body: fault.message }),
    authenticate: authTokenHook({ validator, log: silentLogger, ...more }),
  });
  app.server.get('/', async request => {
    await systemClock.sleep(systemRandom.int(5));
    return {
      tenant: request.token?.tenantId ?? null,
      user: request.token?.userId ?? null,
      headers: request.headers,
    };
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  cleanup.push(() => app.stop());
  return `http://${address}/`;
}

async function startCloud(
  format: 'UUID' | 'JWT',
): Promise<{ cloud: TestIdentity; validator: IdentityValidator }> {
  const cloud = await startTestIdentity({ format });
  cleanup.push(() => cloud.stop());
  const validator = await identityValidator({ settings: await serviceSettings(cloud), world });
  cleanup.push(() => validator.stop());
  return { cloud, validator };
}

it('13: a signing directory must be the service’s own, or the service does not start', () => {
  const dir = tempDir('signing');
  cleanup.push(() => dir.remove());
  const uid = process.getuid!();
  const own = join(dir.path, 'own');
  checkSigningDir(own, uid);
  checkSigningDir(own, uid);
  expect(() => checkSigningDir(own, uid + 1)).toThrow(/another user/);
  for (const mode of [0o770, 0o702]) {
    chmodSync(own, mode);
    expect(() => checkSigningDir(own, uid)).toThrow(/open to other users/);
  }
  // Nobody else can have put anything there: it is closed, as Folsom's middleware closes it.
  chmodSync(own, 0o755);
  checkSigningDir(own, uid);
  expect(statSync(own).mode & 0o777).toBe(0o700);
  symlinkSync(own, join(dir.path, 'link'));
  expect(() => checkSigningDir(join(dir.path, 'link'), uid)).toThrow(/no directory/);
  expect(() => checkSigningDir(join(dir.path, 'a', 'b'), uid)).toThrow(/cannot be made/);
  mkdirSync(join(dir.path, 'shared'), { mode: 0o777 });
  chmodSync(join(dir.path, 'shared'), 0o777);
  const settings = settingsFor({ signing_dir: join(dir.path, 'shared') });
  return expect(identityValidator({ settings, world })).rejects.toThrow(/open to other users/);
});

it('16: an offline check looks at the expiry, also when nothing was ever revoked', async () => {
  const clock = fakeClock();
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const token: SignedToken = {
    key: 'k',
    userId: 'u',
    userName: 'u',
    tenantId: 't',
    tenantName: 't',
    roles: ['Member'],
    issuedAt: clock.now(),
    expiresAt: clock.now() + 60_000,
  };
  const text = signToken(token, { kid: 'x', privateKey });
  const validator = offlineValidator({
    reader: signedTokenReader({ publicKey: kid => (kid === 'x' ? publicKey : undefined) }),
    revocations: revocationList(clock),
    clock,
    catalog: async () => [],
  });
  const url = await whoAmI(validator);
  const status = async () => (await fetch(url, { headers: { 'x-auth-token': text } })).status;
  expect(await status()).toBe(200);
  await clock.advance(59_999);
  expect(await status()).toBe(200);
  await clock.advance(1_001);
  expect(await status()).toBe(401);
});

describe('18: a shared cache', () => {
  const fakeRedis = () => {
    const values = new Map<string, string>();
    const redis: RedisLike = {
      get: async key => values.get(key) ?? null,
      set: async (key, value) => void values.set(key, value),
      quit: async () => {},
    };
    return { values, redis };
  };

  it.each(['MAC', 'ENCRYPT'] as const)(
    'with %s takes unsigned, altered and swapped values for misses',
    async strategy => {
      const { values, redis } = fakeRedis();
      const cache = redisTokenCache(redis, { strategy, secret: 's1' }, systemRandom);
      await cache.set('token-a', '{"userId":"a"}', 1000);
      await cache.set('token-b', '{"userId":"b"}', 1000);
      expect(await cache.get('token-a')).toBe('{"userId":"a"}');
      const [[keyA, valueA], [keyB]] = [...values] as [[string, string], [string, string]];
      expect(keyA).not.toContain('token-a');
      if (strategy === 'ENCRYPT') expect(valueA).not.toContain('userId');
      for (const forged of [
        '{"userId":"root"}',
        valueA.slice(0, -1),
        `${valueA}x`,
        valueA.replace(/.$/, last => (last === 'A' ? 'B' : 'A')),
        '',
        'invalid',
      ]) {
        values.set(keyA, forged);
        expect(await cache.get('token-a')).toBeNull();
      }
      values.set(keyB, valueA);
      expect(await cache.get('token-b')).toBeNull();
      const other = redisTokenCache(redis, { strategy, secret: 's2' }, systemRandom);
      expect(await other.get('token-a')).toBeNull();
    },
  );

  it('needs a secret for its protection', () => {
    expect(() => settingsFor({ memcache_security_strategy: 'MAC' })).toThrow(/memcache_secret_key/);
    expect(() => settingsFor({ memcache_security_strategy: 'NONE', memcache_secret_key: 'x' })).toThrow();
  });
});

it('19: a client refuses a peer that nobody vouches for', async () => {
  const dir = tempDir('tls');
  cleanup.push(() => dir.remove());
  const [key, cert] = [join(dir.path, 'key.pem'), join(dir.path, 'cert.pem')];
  await run(
    [
      ...[
        'openssl',
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
      ],
      ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { timeoutMs: 30_000 },
  );
  let asked = 0;
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
    asked += 1;
    response.end('{"keys": []}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => server.close());
  const at = { auth_port: String((server.address() as AddressInfo).port), admin_token: 'x' };

  const strict = keystoneClient(settingsFor(at), world);
  cleanup.push(() => strict.close());
  await expect(strict.tokenKeys()).rejects.toMatchObject({ name: 'IdentityUnavailable', status: 503 });
  expect(asked).toBe(0);
  for (const more of [{ cafile: cert }, { insecure: 'true' }] as Record<string, string>[]) {
    const client = keystoneClient(settingsFor({ ...at, ...more }), world);
    cleanup.push(() => client.close());
    expect(await client.tokenKeys()).toEqual({});
  }
  expect(asked).toBe(2);
});

it.each(['UUID', 'JWT'] as const)(
  '24: of 2000 mixed requests with %s tokens each gets its own tenant',
  async format => {
    const { cloud, validator } = await startCloud(format);
    const callers: { token: string; tenant: string; user: string }[] = [];
    for (let i = 0; i < 8; i++) {
      const { userId, tenantId } = await cloud.person(`p${i}`);
      for (let n = 0; n < 2; n++)
        callers.push({ token: await cloud.login(`p${i}`), tenant: tenantId, user: userId });
    }
    const url = await whoAmI(validator);
    const count = 2000;
    const answers = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const caller = callers[i % callers.length]!;
        const victim = callers[(i + 3) % callers.length]!;
        const response = await fetch(url, {
          headers: {
            'x-auth-token': caller.token,
            'x-tenant-id': victim.tenant,
            'x-user-id': victim.user,
            'X-Roles': 'admin',
            'x-identity-status': 'Confirmed',
            'x-service-catalog': '[]',
            'x-tenant': 'x',
            'x-user': 'x',
            'x-role': 'admin',
          },
        });
        const seen = (await response.json()) as {
          tenant: string;
          user: string;
          headers: Record<string, string>;
        };
        const forged = Object.keys(seen.headers).filter(name =>
          /^x-(tenant|user|role|identity|service)/.test(name),
        );
        return seen.tenant === caller.tenant && seen.user === caller.user && forged.length === 0;
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(count);
  },
);

it('27: whether a peer is checked is never guessed', () => {
  for (const text of ['False', 'false', '0', 'no', 'off'])
    expect(settingsFor({ insecure: text }).insecure).toBe(false);
  for (const text of ['maybe', 'insecure', '2', 'Falsee'])
    expect(() => settingsFor({ insecure: text })).toThrow(/insecure/);
  const config = configFrom([authTokenOptions], {});
  expect(authTokenSettings(config, { insecure: 'False' }).insecure).toBe(false);
  expect(() => authTokenSettings(config, { insecure: 'perhaps' })).toThrow(/neither true nor false/);
});

describe('what Folsom’s middleware answered', () => {
  const known = staticValidator({
    good: { userId: 'u', tenantId: 't', roles: ['Member'] },
    unscoped: { userId: 'u', tenantId: null },
  });

  it('401 in words that clients know', async () => {
    const url = await whoAmI(known);
    for (const headers of [
      {},
      { 'x-auth-token': 'bad' },
      { 'x-auth-token': 'unscoped' },
      { 'x-auth-token': 'x'.repeat(9000) },
    ]) {
      const answer = await fetch(url, { headers: { accept: 'application/json', ...headers } });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe("Keystone uri='http://127.0.0.1:35357'");
      expect(answer.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
      const text = await answer.text();
      expect(text).toMatch(
        /^401 Unauthorized\n\nThis server could not verify .*\n\n Authentication required {2}$/,
      );
      expect(text).toHaveLength(276);
    }
  });

  it('lets services decide where they want to', async () => {
    const url = await whoAmI(known, { delayAuthDecision: true });
    const nobody = await fetch(url, { headers: { 'x-tenant-id': 'forged' } });
    expect(await nobody.json()).toMatchObject({ tenant: null });
    const somebody = await fetch(url, { headers: { 'x-storage-token': 'good' } });
    expect(await somebody.json()).toMatchObject({ tenant: 't', user: 'u' });
  });

  it('503 while nobody can say who it is, and why stands in the log', async () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'warn', write: line => lines.push(line) });
    const away: TokenValidator = {
      validate: async () => {
        throw new Fault('IdentityUnavailable', 503, 'down');
      },
    };
    const url = await whoAmI(away, { log });
    expect((await fetch(url, { headers: { 'x-auth-token': 'x-secret' } })).status).toBe(503);
    expect(lines.join('')).toMatch(/"requestId":"req-.*IdentityUnavailable/);
    expect(lines.join('')).not.toContain('x-secret');
  });
});

describe.each(['UUID', 'JWT'] as const)('services apart from identity, %s tokens', format => {
  it('know the facts and the catalog, and within a second that a token has ended', async () => {
    const { cloud, validator } = await startCloud(format);
    const { id } = (
      await cloud.admin('POST', '/OS-KSADM/services', {
        'OS-KSADM:service': { name: 'nova', type: 'compute' },
      })
    ).json['OS-KSADM:service'];
    await cloud.admin('POST', '/endpoints', {
      endpoint: {
        region: 'r',
        service_id: id,
        publicurl: 'http://n/$(tenant_id)s',
        adminurl: 'a',
        internalurl: 'i',
      },
    });
    const { userId, tenantId } = await cloud.person('anna');
    await cloud.person('bert');
    const [token, other] = [await cloud.login('anna'), await cloud.login('bert')];
    expect(await validator.validate(token)).toMatchObject({
      userId,
      userName: 'anna',
      tenantId,
      tenantName: 'anna',
      roles: ['Member'],
      isAdmin: false,
      serviceCatalog: [{ type: 'compute', endpoints: [{ publicURL: `http://n/${tenantId}` }] }],
    });
    expect(await validator.validate('nonsense')).toBeNull();
    await cloud.admin('PUT', `/users/${userId}`, { user: { enabled: false } });
    await eventually(() => validator.validate(token)).toBeNull();
    expect(await validator.validate(other)).not.toBeNull();
  });

  it('log in again when their own token has ended', async () => {
    const { cloud, validator } = await startCloud(format);
    const own = await validator.client.token();
    expect(await validator.client.token()).toBe(own);
    await cloud.admin('DELETE', `/tokens/${own}`);
    await cloud.person('anna');
    expect((await validator.client.call('GET', '/tenants'))?.tenants).toHaveLength(2);
    expect(await validator.client.token()).not.toBe(own);
    expect(await validator.client.call('GET', '/users/nope')).toBeNull();
  });

  it('trade signed requests for tokens, in the same process and over HTTP', async () => {
    const { cloud, validator } = await startCloud(format);
    const { userId, tenantId } = await cloud.person('anna');
    const { credential } = (
      await cloud.admin('POST', `/users/${userId}/credentials/OS-EC2`, { tenant_id: tenantId })
    ).json;
    const signed = (action: string) => {
      const params = {
        Action: action,
        SignatureVersion: '0',
        Timestamp: new Date(systemClock.now()).toISOString(),
      };
      const signature = createHmac('sha1', credential.secret)
        .update(params.Action + params.Timestamp)
        .digest('base64');
      return { access: credential.access, signature, host: 'h', verb: 'GET', path: '/', params };
    };
    const own = await validator.client.token();
    for (const login of [cloud.running.ec2Login, validator.client.ec2Login]) {
      const info = await login(signed('DescribeInstances'));
      expect(info).toMatchObject({ userId, tenantId, roles: ['Member'] });
      expect(await validator.validate(info!.id)).toMatchObject({ userId });
      expect(await login({ ...signed('X'), signature: 'bad' })).toBeNull();
      expect(await login({})).toBeNull();
    }
    // A refused signature costs no new login of the service itself; its own token's end does.
    expect(await validator.client.token()).toBe(own);
    await cloud.admin('DELETE', `/tokens/${own}`);
    expect(await validator.client.ec2Login(signed('RunInstances'))).toMatchObject({ userId });
    const text = Buffer.from(`GET\n\n\n${new Date(systemClock.now()).toUTCString()}\n/b/k`).toString(
      'base64url',
    );
    const s3 = {
      access: credential.access,
      token: text,
      signature: createHmac('sha1', credential.secret)
        .update(Buffer.from(text, 'base64url'))
        .digest('base64'),
    };
    for (const login of [cloud.running.s3Login, validator.client.s3Login]) {
      expect(await login(s3)).toMatchObject({ tenantId });
      expect(await login({ ...s3, signature: 'bad' })).toBeNull();
    }
  });
});

describe.skipIf(serverMissing('redis'))('answers kept in a Redis', () => {
  it('serve several processes, end with revocation, and are done without when it fails', async () => {
    const redis = await startRedis();
    cleanup.push(() => redis.stop());
    const cloud = await startTestIdentity();
    cleanup.push(() => cloud.stop());
    const settings = await serviceSettings(cloud, {
      redis_url: `redis://127.0.0.1:${redis.port}/0`,
      memcache_security_strategy: 'ENCRYPT',
      memcache_secret_key: 'shared',
    });
    const services = [
      await identityValidator({ settings, world }),
      await identityValidator({ settings, world }),
    ];
    cleanup.push(() => Promise.all(services.map(service => service.stop())));
    const { userId } = await cloud.person('anna');
    await cloud.person('bert');
    const [token, other] = [await cloud.login('anna'), await cloud.login('bert')];
    for (const service of services) expect(await service.validate(token)).toMatchObject({ userId });
    await cloud.admin('PUT', `/users/${userId}`, { user: { enabled: false } });
    for (const service of services) await eventually(() => service.validate(token)).toBeNull();
    await redis.stop();
    for (const service of services) expect(await service.validate(other)).not.toBeNull();
  });
});
