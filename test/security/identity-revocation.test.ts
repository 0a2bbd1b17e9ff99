import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  authTokenOptions,
  authTokenSettings,
  type IdentityValidator,
  identityValidator,
  listenToRevocations,
  revocationList,
  storedTokenKey,
} from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { type Bus, createRabbitBus } from '@folsom/rpc';
import {
  eventually,
  freePorts,
  type RabbitServer,
  type RunningProgram,
  rabbitOptions,
  runProgram,
  serverMissing,
  startProgram,
  startRabbit,
  tempDir,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

// What ends tokens, in each format, seen from a service in another process: over RabbitMQ, by asking, and after restarts.

const ADMIN_TOKEN = 'bootstrap-of-revocation-tests';
const world = { clock: systemClock, random: systemRandom, log: silentLogger };

interface Person {
  name: string;
  userId: string;
  tenantId: string;
  roleId: string;
  token: string;
}

/** What ends a person's tokens. */
type End = (cloud: Cloud, person: Person) => Promise<unknown>;

const ENDS: Record<string, End> = {
  'ending the token': ({ admin }, { token }) => admin('DELETE', `/tokens/${encodeURIComponent(token)}`),
  'disabling the user': ({ admin }, { userId }) =>
    admin('PUT', `/users/${userId}/OS-KSADM/enabled`, { user: { enabled: false } }),
  'deleting the user': ({ admin }, { userId }) => admin('DELETE', `/users/${userId}`),
  'a password from an administrator': ({ admin }, { userId }) =>
    admin('PUT', `/users/${userId}/OS-KSADM/password`, { user: { password: 'new' } }),
  'a password of one’s own': ({ call }, { name, userId, token }) =>
    call('public', token, 'PATCH', `/OS-KSCRUD/users/${userId}`, {
      user: { original_password: `of-${name}`, password: 'new' },
    }),
  'disabling the tenant': ({ admin }, { tenantId }) =>
    admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: false } }),
  'deleting the tenant': ({ admin }, { tenantId }) => admin('DELETE', `/tenants/${tenantId}`),
  'taking a role': ({ admin }, { userId, tenantId, roleId }) =>
    admin('DELETE', `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`),
  'deleting the role': ({ admin }, { roleId }) => admin('DELETE', `/OS-KSADM/roles/${roleId}`),
};

/** keystone-all as a program of its own, telling its revocations to the broker. */
interface Cloud {
  call(
    port: 'public' | 'admin',
    token: string,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer>;
  admin(method: string, path: string, body?: unknown): Promise<Answer>;
  person(name: string): Promise<Person>;
  adminPort: number;
  start(): Promise<void>;
  /** Kills it and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into documents freely
type Answer = any;

async function cloudOf(format: string, rabbit: RabbitServer): Promise<Cloud> {
  const dir = tempDir('identity-revocation');
  const [publicPort, adminPort] = (await freePorts(2)) as [number, number];
  const conf = join(dir.path, 'keystone.conf');
  writeFileSync(
    conf,
    `[DEFAULT]
bind_host = 127.0.0.1
public_port = ${publicPort}
admin_port = ${adminPort}
admin_token = ${ADMIN_TOKEN}
crypt_strength = 1000
rabbit_host = 127.0.0.1
rabbit_port = ${rabbit.port}
[sql]
connection = sqlite:///${dir.path}/keystone.db
[token]
revocation_bus = True
[signing]
token_format = ${format}
certfile = ${dir.path}/certs/signing_cert.pem
keyfile = ${dir.path}/private/signing_key.pem
ca_certs = ${dir.path}/certs/ca.pem
jwt_key_dir = ${dir.path}/keys
`,
  );
  for (const command of ['db_sync', 'pki_setup']) {
    const { code, stderr } = await runProgram('keystone-manage', ['--config-file', conf, command]);
    expect([code, stderr]).toEqual([0, '']);
  }
  let program: RunningProgram | undefined;
  const call: Cloud['call'] = async (port, token, method, path, body) => {
    const response = await fetch(
      `http://127.0.0.1:${port === 'public' ? publicPort : adminPort}/v2.0${path}`,
      {
        method,
        headers: { 'x-auth-token': token, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
    );
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const start = async () => {
    program = await startProgram('keystone-all', ['--config-file', conf], {
      logFile: join(dir.path, 'log'),
      ports: [publicPort, adminPort].map(port => ({ host: '127.0.0.1', port })),
      timeoutMs: 60_000,
    });
  };
  const admin: Cloud['admin'] = (method, path, body) => call('admin', ADMIN_TOKEN, method, path, body);
  return {
    call,
    admin,
    adminPort,
    person: async name => {
      const tenantId = (await admin('POST', '/tenants', { tenant: { name } })).tenant.id;
      const roleId = (await admin('POST', '/OS-KSADM/roles', { role: { name: `role-${name}` } })).role.id;
      const user = { name, password: `of-${name}` };
      const userId = (await admin('POST', '/users', { user })).user.id;
      await admin('PUT', `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`);
      const auth = { passwordCredentials: { username: name, password: user.password }, tenantName: name };
      const token = (await call('public', '', 'POST', '/tokens', { auth })).access.token.id;
      return { name, userId, tenantId, roleId, token };
    },
    start,
    restart: async () => {
      program?.kill('SIGKILL');
      await program?.exited;
      await start();
    },
    stop: async () => {
      await program?.stop();
      dir.remove();
    },
  };
}

/** What a token is called in revocations. */
const keyOf = (token: string): string =>
  token.startsWith('eyJ')
    ? JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).jti
    : storedTokenKey(token);

describe.skipIf(serverMissing('rabbit'))('tokens end everywhere', () => {
  let rabbit: RabbitServer;
  let bus: Bus;
  beforeAll(async () => {
    rabbit = await startRabbit();
    bus = createRabbitBus({ options: rabbitOptions(rabbit.port), world });
  }, 240_000);
  afterAll(async () => {
    await bus?.close();
    await rabbit?.stop();
  });

  describe.each(['UUID', 'PKI', 'JWT'])('with %s tokens', format => {
    let cloud: Cloud;
    let validator: IdentityValidator;
    const heard = revocationList(systemClock);
    const ended: string[] = [];
    const stops: (() => Promise<void>)[] = [];
    let serial = 0;

    const validatorWith = (own: Bus | null) =>
      identityValidator({
        settings: authTokenSettings(
          configFrom([authTokenOptions], {
            keystone_authtoken: {
              auth_protocol: 'http',
              auth_host: '127.0.0.1',
              auth_port: String(cloud.adminPort),
              admin_token: ADMIN_TOKEN,
            },
          }),
        ),
        world,
        bus: own,
      });

    beforeAll(async () => {
      cloud = await cloudOf(format, rabbit);
      stops.push(cloud.stop);
      await cloud.start();
      validator = await validatorWith(null);
      stops.push(() => validator.stop());
      // Hears what is said over RabbitMQ and nothing else.
      const listener = listenToRevocations({
        bus,
        host: `only-${format}`,
        log: silentLogger,
        take: heard.add,
      });
      stops.push(listener.stop);
      const somethingIsHeard = async () => {
        const { token } = await cloud.person(`warm-up-${serial++}`);
        await cloud.admin('DELETE', `/tokens/${encodeURIComponent(token)}`);
        expect(heard.size).toBeGreaterThan(0);
      };
      await vi.waitFor(somethingIsHeard, { timeout: 30_000, interval: 100 });
    }, 240_000);
    afterAll(async () => {
      for (const stop of stops.reverse()) await stop();
    });

    it.each(Object.keys(ENDS))('%s', async what => {
      const [person, bystander] = [await cloud.person(`p${serial++}`), await cloud.person(`p${serial++}`)];
      const facts = await validator.validate(person.token);
      expect(facts).toMatchObject({ userId: person.userId, roles: [`role-${person.name}`] });
      expect(await validator.validate(bystander.token)).not.toBeNull();
      const known = { ...facts!, key: keyOf(person.token), issuedAt: facts!.issuedAt! };
      expect(heard.isRevoked(known)).toBe(false);

      await ENDS[what]!(cloud, person);
      const path = `/tokens/${encodeURIComponent(person.token)}`;
      await expect(cloud.admin('GET', path)).rejects.toThrow('404');
      await eventually(() => heard.isRevoked(known)).toBe(true);
      await eventually(() => validator.validate(person.token)).toBeNull();
      expect(await validator.validate(bystander.token)).not.toBeNull();
      ended.push(person.token);
    });

    it('a service that starts again knows it from its first request on', async () => {
      expect(ended).toHaveLength(Object.keys(ENDS).length);
      const restarted = await validatorWith(bus);
      stops.push(() => restarted.stop());
      for (const token of ended) expect(await restarted.validate(token)).toBeNull();
    });

    it('and so does keystone', async () => {
      const alive = await cloud.person(`p${serial++}`);
      await cloud.restart();
      for (const token of ended) {
        await expect(cloud.admin('GET', `/tokens/${encodeURIComponent(token)}`)).rejects.toThrow('404');
      }
      await cloud.admin('GET', `/tokens/${encodeURIComponent(alive.token)}`);
      const restarted = await validatorWith(null);
      stops.push(() => restarted.stop());
      for (const token of ended) expect(await restarted.validate(token)).toBeNull();
      expect(await restarted.validate(alive.token)).not.toBeNull();
    });
  });
});
