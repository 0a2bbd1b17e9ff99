import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { type Clock, type Logger, silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import type { Bus } from '@folsom/rpc';
import { type RunningIdentity, startIdentity } from './identity.ts';
import { identityOptions } from './options.ts';
import { setUpPki } from './pki/setup.ts';
import type { TokenFormat } from './tokens/tokens.ts';

interface Named {
  id: string;
  name: string;
}

/** An identity service of a test's own, on free ports, with an empty database. For tests only. */
export interface TestIdentity {
  running: RunningIdentity;
  db: Database;
  /** `http://127.0.0.1:PORT` of the two APIs. */
  publicUrl: string;
  adminUrl: string;
  /** Calls the admin API with the bootstrap token (or `token`); `path` is below /v2.0. */
  admin(method: string, path: string, body?: unknown, token?: string | null): Promise<TestAnswer>;
  /** Calls the public API. */
  public(method: string, path: string, body?: unknown, token?: string | null): Promise<TestAnswer>;
  /** A tenant, a role and a user who has it there. */
  person(name: string, options?: { role?: string; tenant?: string; password?: string }): Promise<Person>;
  /** Logs in and gives the token's id. */
  login(name: string, options?: { tenant?: string; password?: string }): Promise<string>;
  /** `operation: fault` for every fault that an operation threw without declaring it. */
  undeclared: ReadonlySet<string>;
  stop(): Promise<void>;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents freely
  json: any;
}

export interface Person {
  userId: string;
  tenantId: string;
  roleId: string;
}

export interface TestIdentityOptions {
  format?: TokenFormat;
  clock?: Clock;
  log?: Logger;
  bus?: Bus | null;
  /** Default: a database in memory. */
  connection?: string;
  /** Sections of keystone.conf laid over the test's own. */
  settings?: Record<string, Record<string, string>>;
}

export const TEST_ADMIN_TOKEN = 'bootstrap-secret-of-tests';
export const TEST_PASSWORD = 'secrete';

export async function startTestIdentity(options: TestIdentityOptions = {}): Promise<TestIdentity> {
  const dir = mkdtempSync(join(tmpdir(), 'folsom-identity-'));
  const files = {
    certfile: join(dir, 'certs', 'signing_cert.pem'),
    keyfile: join(dir, 'private', 'signing_key.pem'),
    caCerts: join(dir, 'certs', 'ca.pem'),
  };
  if (options.format === 'PKI') await setUpPki({ ...files, keyBits: 2048, validDays: 30 }, () => {});
  const clock = options.clock ?? systemClock;
  const world: World = { clock, random: systemRandom, log: options.log ?? silentLogger };
  const db = await openDatabase({ connection: options.connection ?? 'sqlite://', clock });
  await dbSync(db, 'keystone');
  const { settings = {} } = options;
  const config = configFrom(identityOptions, {
    ...settings,
    DEFAULT: {
      admin_token: TEST_ADMIN_TOKEN,
      bind_host: '127.0.0.1',
      // Enough for tests, and fast.
      crypt_strength: '1000',
      ...settings.DEFAULT,
    },
    signing: {
      token_format: options.format ?? 'UUID',
      certfile: files.certfile,
      keyfile: files.keyfile,
      ca_certs: files.caCerts,
      jwt_key_dir: join(dir, 'keys'),
      ...settings.signing,
    },
  });
  const removeState = async () => {
    await db.close();
    rmSync(dir, { recursive: true, force: true });
  };
  const undeclared = new Set<string>();
  const running = await startIdentity({
    config,
    db,
    bus: options.bus ?? null,
    world,
    ports: { public: 0, admin: 0 },
    undeclared: (fault, operation) => undeclared.add(`${operation.name}: ${fault.name}`),
  }).catch(async error => {
    await removeState();
    throw error;
  });
  const [publicUrl, adminUrl] = running.addresses.map(address => `http://${address}`) as [string, string];

  const caller =
    (base: string, standard: string | null) =>
    async (method: string, path: string, body?: unknown, token: string | null = standard) => {
      const response = await fetch(`${base}/v2.0${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === null ? {} : { 'x-auth-token': token }),
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      return { status: response.status, headers: response.headers, text, json } as TestAnswer;
    };
  const admin = caller(adminUrl, TEST_ADMIN_TOKEN);
  const open = caller(publicUrl, null);

  const ensure = async (path: string, list: string, wrapper: string, name: string): Promise<string> => {
    const { json } = (await admin('GET', path)) as { json: Record<string, Named[]> };
    const known = json[list]?.find(item => item.name === name);
    if (known) return known.id;
    const made = (await admin('POST', path, { [wrapper]: { name } })) as { json: Record<string, Named> };
    return made.json[wrapper]!.id;
  };

  return {
    running,
    undeclared,
    db,
    publicUrl,
    adminUrl,
    admin,
    public: open,
    person: async (name, { role = 'Member', tenant = name, password = TEST_PASSWORD } = {}) => {
      const tenantId = await ensure('/tenants', 'tenants', 'tenant', tenant);
      const roleId = await ensure('/OS-KSADM/roles', 'roles', 'role', role);
      const { users } = (await admin('GET', '/users')).json as { users: Named[] };
      const known = users.find(user => user.name === name);
      const newUser = { user: { name, password, enabled: true } };
      const made = known ? undefined : ((await admin('POST', '/users', newUser)).json as { user: Named });
      const { id: userId } = known ?? made!.user;
      await admin('PUT', `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`);
      return { userId, tenantId, roleId };
    },
    login: async (name, { tenant = name, password = TEST_PASSWORD } = {}) => {
      const answer = await open('POST', '/tokens', {
        auth: { passwordCredentials: { username: name, password }, tenantName: tenant },
      });
      if (answer.status !== 200) throw new Error(`login of ${name}: ${answer.status} ${answer.text}`);
      return (answer.json as { access: { token: { id: string } } }).access.token.id;
    },
    stop: async () => {
      await running.stop();
      await removeState();
    },
  };
}
