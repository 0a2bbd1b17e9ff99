import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@folsom/db';
import { type RunningProgram, startProgram } from '@folsom/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PORT_OFFSETS } from '../port-offsets.ts';

/** `folsom up` on SQLite and the in-process bus, killed with work in flight: what it acknowledged it carries out. */
const OFFSET = PORT_OFFSETS.allInOneFaults;
/** The limit of requests a minute is ten; each asks for several servers. */
const REQUESTS = 8;
const EACH = 6;

let dir: string;
let cloud: RunningProgram | undefined;

const start = async () => {
  const words = ['up', '--state-dir', join(dir, 'var'), '--ports-offset', String(OFFSET)];
  await rm(join(dir, 'terminal.log'), { force: true });
  cloud = await startProgram('folsom', [...words, '--compute-driver', 'fake'], {
    logFile: join(dir, 'terminal.log'),
    until: /^ready in [\d.]+ s$/m,
    timeoutMs: 120_000,
  });
};

interface Session {
  call(method: string, path: string, body?: unknown): Promise<{ status: number; json: Json }>;
}
// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Json = any;

async function login(): Promise<Session & { tenant: string }> {
  const text = await readFile(join(dir, 'var', 'openrc'), 'utf8');
  const rc = Object.fromEntries(
    [...text.matchAll(/^export (\w+)='?(.*?)'?$/gm)].map(match => [match[1]!, match[2]!]),
  );
  const response = await fetch(`${rc.OS_AUTH_URL}/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        tenantName: rc.OS_TENANT_NAME,
        passwordCredentials: { username: rc.OS_USERNAME, password: rc.OS_PASSWORD },
      },
    }),
  });
  const { access } = (await response.json()) as Json;
  const tenant = access.token.tenant.id as string;
  return {
    tenant,
    async call(method, path, body) {
      const answer = await fetch(`http://127.0.0.1:${8774 + OFFSET}/v2/${tenant}/${path}`, {
        method,
        headers: { 'x-auth-token': access.token.id, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(60_000),
      });
      const said = await answer.text();
      return { status: answer.status, json: said.startsWith('{') ? JSON.parse(said) : undefined };
    },
  };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-killed-'));
});
afterAll(async () => {
  await cloud?.stop();
  await rm(dir, { recursive: true, force: true });
});

it('a killed cloud builds every boot it has acknowledged, and deletes what it promised to', async () => {
  await start();
  const before = await login();
  const quota = { instances: 500, cores: 500, ram: 500_000 };
  expect((await before.call('PUT', `os-quota-sets/${before.tenant}`, { quota_set: quota })).status).toBe(200);
  const { images } = (await before.call('GET', 'images')).json;
  const image = images[0].id as string;
  const boot = (name: string, min_count = 1) =>
    before.call('POST', 'servers', { server: { name, imageRef: image, flavorRef: '1', min_count } });
  const stateOf = async (session: Session, id: string) => {
    const { status, json } = await session.call('GET', `servers/${id}`);
    return status === 404 ? 'gone' : (json.server.status as string);
  };
  const doomed = (await boot('doomed')).json.server.id as string;
  await expect.poll(() => stateOf(before, doomed), { timeout: 30_000 }).toBe('ACTIVE');

  const acknowledged: string[] = [];
  const asked = Array.from({ length: REQUESTS }, (_, n) =>
    boot(`vm${n}`, EACH).then(
      ({ status }) => {
        if (status === 202) acknowledged.push(`vm${n}`);
      },
      () => {}, // its answer died with the process
    ),
  );
  const gone = before.call('DELETE', `servers/${doomed}`).then(
    ({ status }) => status === 204,
    () => false,
  );
  // In the middle: most requests are answered, few servers are built.
  await expect
    .poll(() => acknowledged.length, { timeout: 60_000, interval: 5 })
    .toBeGreaterThan(REQUESTS - 3);
  cloud!.kill('SIGKILL');
  await cloud!.exited;
  await Promise.all(asked);
  const deleted = await gone;
  const left = await openDatabase({ connection: `sqlite:///${join(dir, 'var', 'db', 'nova.sqlite')}` });
  const building = await left.knex('instances').where({ deleted: 0, vm_state: 'building' });
  const kept = await left.knex('folsom_outbox');
  await left.close();
  expect(building.length, 'the kill came in the middle').toBeGreaterThan(0);
  expect(kept.length).toBeGreaterThan(0);
  console.info(`killed with ${building.length} builds in flight and ${kept.length} messages kept`);

  await start();
  const after = await login();
  const mine = async () => {
    const { servers } = (await after.call('GET', 'servers/detail')).json;
    return servers.filter((server: Json) => acknowledged.includes(server.name)) as Json[];
  };
  await expect
    .poll(
      async () => (await mine()).filter(server => server.status !== 'ACTIVE').map(server => server.status),
      {
        timeout: 60_000,
      },
    )
    .toEqual([]);
  const servers = await mine();
  expect(servers).toHaveLength(acknowledged.length * EACH);
  const addresses = servers.flatMap(server => Object.values(server.addresses).flat()) as Json[];
  expect(new Set(addresses.map(one => one.addr)).size).toBe(servers.length);
  if (deleted) await expect.poll(() => stateOf(after, doomed), { timeout: 60_000 }).toBe('gone');
}, 300_000);
