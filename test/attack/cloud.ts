import { mkdirSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { dirname, join } from 'node:path';
import { type SignedToken, signToken } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';
import { startCloud } from '@folsom/deploy/folsom/cloud';
import { layoutOf, PARTS, PORTS, type PortName, type Ports } from '@folsom/deploy/folsom/layout';
import { loadSecrets } from '@folsom/deploy/folsom/secrets';
import { createMetrics, type RouteInfo, serveMetrics } from '@folsom/http';
import type { RunningIdentity } from '@folsom/identity';
import { openTokenKeys } from '@folsom/identity/tokens/jwt-keys';
import { imageDeclarations, startRegistry } from '@folsom/image';
import { freePorts, tempDir } from '@folsom/testing';

/** A person with a tenant of the same name. */
export interface Person {
  token: string;
  tenant: string;
  user: string;
  /** A login at the web console: what its page sends. */
  console: ConsoleLogin;
}

export interface ConsoleLogin {
  cookie: string;
  'x-csrf-token': string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface AskOptions {
  token?: string | null;
  headers?: Record<string, string>;
  /** What is no text or bytes is sent as JSON. */
  body?: unknown;
  timeoutMs?: number;
}

/** A whole cloud as `npm start` runs it, in this process, with the fake hypervisor; every port of it listens. */
export interface AttackedCloud {
  ports: Ports;
  dir: string;
  /** Has the role admin. */
  admin: Person;
  /** Members of a tenant each. */
  alice: Person;
  bob: Person;
  passwords: Record<'alice' | 'bob', string>;
  /** Alice's token as it was before it ended. */
  expired: string;
  databases: Record<'keystone' | 'glance' | 'nova', Database>;
  /** What the applications declare. */
  routes: { to: PortName; method: string; path: string }[];
  operations: RunningIdentity['operations'];
  /** The lines logged since it was last asked. */
  takeLog(): string[];
  /** @throws when nothing is answered in time */
  ask(to: PortName | number, method: string, target: string, options?: AskOptions): Promise<Answer>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Nothing stops an attack because there were too many before it. */
const SETTINGS = {
  quota_instances: '-1',
  quota_cores: '-1',
  quota_ram: '-1',
  quota_volumes: '-1',
  quota_gigabytes: '-1',
  lockout_attempts: '0',
};
const ANSWER_MS = 30_000;

export async function startAttackedCloud(): Promise<AttackedCloud> {
  const temp = tempDir('attack');
  const layout = layoutOf(join(temp.path, 'var'));
  for (const folder of [layout.log, layout.db('nova')]) mkdirSync(dirname(folder), { recursive: true });
  for (const folder of [layout.keystone, layout.images, layout.nova, layout.objects])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  let lines: string[] = [];
  const log = createLogger({ level: 'debug', write: line => void lines.push(line) });
  const metrics = createMetrics();
  const world: World = { clock: systemClock, random: systemRandom, log, metrics };
  const names = Object.keys(PORTS) as PortName[];
  const free = await freePorts(names.length);
  const ports = Object.fromEntries(names.map((name, at) => [name, free[at]!])) as Ports;
  const secrets = await loadSecrets(layout.secrets, world.random);
  const stopping: (() => Promise<unknown>)[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const stop = async () => {
    agent.destroy();
    for (const end of stopping.splice(0).reverse()) await end();
    temp.remove();
  };
  try {
    const cloud = await startCloud({
      layout,
      ports,
      secrets,
      world,
      metrics,
      compute: { driver: 'fake', why: 'nothing boots' },
      hostIp: HOST,
      fixedRange: '10.0.0.0/22',
      parts: PARTS,
      swift: { devices: 1, replicas: 1 },
      floatingRange: 'none',
      settings: Object.entries(SETTINGS).map(([name, text]) => ({
        service: 'nova' as const,
        group: 'DEFAULT',
        name,
        text,
      })),
      tell: (_what, work) => work(),
      print: () => {},
    });
    stopping.push(() => cloud.stop());
    const served = await serveMetrics(metrics, { host: HOST, port: ports.metrics });
    stopping.push(() => served.stop());
    const databases = {} as AttackedCloud['databases'];
    for (const name of ['keystone', 'glance', 'nova'] as const) {
      const database = await openDatabase({ connection: `sqlite:///${layout.db(name)}` });
      databases[name] = database;
      stopping.push(() => database.close());
    }
    const identity = cloud.services.find(({ name }) => name === 'keystone') as RunningIdentity;
    // In the all-in-one the registry is inside of glance-api: beside it, it is one more way in.
    const registry = await startRegistry({
      config: configFrom(imageDeclarations, { paste_deploy: { flavor: 'keystone' } }),
      world,
      db: databases.glance,
      validator: identity.validator,
      listen: { host: HOST, port: ports.imageRegistry },
    });
    stopping.push(() => registry.stop());
    const ask = asker(ports, agent);
    const login = loginTo(ask);
    const admin = await login('admin', secrets.adminPassword);
    const passwords = { alice: world.random.hex(20), bob: world.random.hex(20) };
    const person = async (name: 'alice' | 'bob') => {
      await makePerson(ask, secrets.adminToken, name, passwords[name]);
      return login(name, passwords[name]);
    };
    const [alice, bob] = await Promise.all([person('alice'), person('bob')]);
    return {
      ports,
      dir: layout.dir,
      admin,
      alice,
      bob,
      passwords,
      expired: expiredTwin(alice.token, `${layout.keystone}/token-keys`),
      databases,
      routes: [
        ...cloud.services.flatMap(service => declaredBy(service, ports)),
        ...registry.routes.map(route => ({ ...route, to: 'imageRegistry' as const })),
      ],
      operations: identity.operations,
      takeLog: () => {
        const taken = lines;
        lines = [];
        return taken;
      },
      ask,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whatever says what it serves is attacked: a service that is added comes in by itself. */
function declaredBy(service: RunningService, ports: Ports): AttackedCloud['routes'] {
  const { routes = [] } = service as { routes?: readonly RouteInfo[] };
  const port = Number(service.addresses[0]?.split(':').at(-1));
  const to = (Object.keys(ports) as PortName[]).find(name => ports[name] === port);
  if (routes.length > 0 && to === undefined)
    throw new Error(`${service.name} listens on a port without a name`);
  return routes.map(({ method, path }) => ({ to: to!, method, path }));
}

/** Sends targets and headers as they stand, which `fetch` would tidy up. */
function asker(ports: Ports, agent: Agent): AttackedCloud['ask'] {
  return (to, method, target, { token = null, headers = {}, body, timeoutMs = ANSWER_MS } = {}) => {
    const port = typeof to === 'number' ? to : ports[to];
    const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const payload = plain ? (body as string | Uint8Array | undefined) : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = request(
      {
        host: HOST,
        port,
        method,
        path: target,
        agent,
        headers: {
          ...(token === null ? {} : { 'x-auth-token': token }),
          ...(plain ? {} : { 'content-type': 'application/json' }),
          ...(payload === undefined ? {} : { 'content-length': String(Buffer.byteLength(payload)) }),
          ...headers,
        },
      },
      answer => {
        let text = '';
        answer.setEncoding('latin1');
        answer.on('data', chunk => {
          text += chunk;
        });
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer in ${timeoutMs} ms: ${method} ${target.slice(0, 200)}`)),
      timeoutMs,
    );
    sent.on('error', error => reject(new Error(`${error.message}: ${method} ${target.slice(0, 200)}`)));
    sent.end(payload);
    return promise.finally(() => clearTimeout(timer));
  };
}

// biome-ignore lint/suspicious/noExplicitAny: documents of every shape
const json = ({ text }: Answer): any => JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));

const loginTo =
  (ask: AttackedCloud['ask']) =>
  async (name: string, password: string): Promise<Person> => {
    const body = { auth: { tenantName: name, passwordCredentials: { username: name, password } } };
    const answer = await ask('identityPublic', 'POST', '/v2.0/tokens', { body });
    if (answer.status !== 200) throw new Error(`login of ${name}: ${answer.status} ${answer.text}`);
    const { token, user } = json(answer).access;
    const console = await consoleLogin(ask, name, password);
    return { token: token.id, tenant: token.tenant.id, user: user.id, console };
  };

/** What a request of a person carries. */
export const loginOf = (to: PortName | number, person: Person): AskOptions =>
  to === 'consoleWeb' ? { headers: { ...person.console } } : { token: person.token };

export async function consoleLogin(
  ask: AttackedCloud['ask'],
  username: string,
  password: string,
): Promise<ConsoleLogin> {
  const answer = await ask('consoleWeb', 'POST', '/api/session', { body: { username, password } });
  if (answer.status !== 200) throw new Error(`console login of ${username}: ${answer.status} ${answer.text}`);
  const [cookie = ''] = answer.headers['set-cookie']![0]!.split(';');
  return { cookie, 'x-csrf-token': json(answer).csrf };
}

async function makePerson(
  ask: AttackedCloud['ask'],
  token: string,
  name: string,
  password: string,
): Promise<void> {
  const admin = async (method: string, path: string, body?: unknown) =>
    json(await ask('identityAdmin', method, `/v2.0${path}`, { token, body }));
  const { tenant } = await admin('POST', '/tenants', { tenant: { name, enabled: true } });
  const { user } = await admin('POST', '/users', {
    user: { name, password, email: `${name}@example.org`, enabled: true },
  });
  const { roles } = await admin('GET', '/OS-KSADM/roles');
  const member = roles.find((role: { name: string }) => role.name === 'Member').id;
  await admin('PUT', `/tenants/${tenant.id}/users/${user.id}/roles/OS-KSADM/${member}`);
}

/** A token that was good an hour ago, signed by the cloud itself. */
function expiredTwin(token: string, keyDir: string): string {
  const keys = openTokenKeys(keyDir);
  const [, claims = ''] = token.split('.');
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, never>;
  const hour = 3_600_000;
  const ended: SignedToken = {
    key: said.jti!,
    userId: said.sub!,
    userName: said.usr!,
    tenantId: said.tid!,
    tenantName: said.ten!,
    roles: said.rol!,
    issuedAt: systemClock.now() - 25 * hour,
    expiresAt: systemClock.now() - hour,
  };
  return signToken(ended, keys.signing());
}

/** Runs `work` for each, `width` at a time; fails with the first failure. */
export async function eachOf<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let next = left.next(); !next.done; next = left.next()) await work(next.value);
    }),
  );
}
