import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { runNovaManage } from '@folsom/compute-api/manage';
import { commonOptions, configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase, type SchemaName } from '@folsom/db';
import { run } from '@folsom/host';
import { identityOptions, startIdentity } from '@folsom/identity';
import { imageDeclarations, startImageApi } from '@folsom/image';
import { novaOptions } from '@folsom/nova/options';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unequalQuotas } from '../drop-in/audit.ts';

// Dumps of databases that the originals made and used; users' passwords are all the same there.
const DUMPS = fileURLToPath(new URL('../fixtures/db/', import.meta.url));
const PASSWORD = 'secrete';

/** Shortly after the dumps were made: their tokens live, their services have just reported. */
const DUMPED_AT = Date.UTC(2026, 10, 23, 21, 16, 45);

describe.skipIf(serverMissing('mariadb'))('the databases of an original cloud, taken over in place', () => {
  const started: RunningService[] = [];
  const databases: Database[] = [];
  const dir = mkdtempSync(join(tmpdir(), 'take-over-'));
  const begun = systemClock.now();
  const world: World = {
    clock: { ...systemClock, now: () => systemClock.now() - begun + DUMPED_AT },
    random: systemRandom,
    log: silentLogger,
  };
  let server: MariaDb;
  let identity: string;
  let admin: string;
  let images: string;

  async function takenOver(name: SchemaName): Promise<Database> {
    const connection = await server.createDatabase(name);
    const dump = gunzipSync(readFileSync(join(DUMPS, `${name}.sql.gz`)));
    await run(['mariadb', '--no-defaults', `--socket=${server.socket}`, '--user=root', name], {
      input: dump,
      timeoutMs: 60_000,
    });
    const db = await openDatabase({ connection });
    databases.push(db);
    await dbSync(db, name);
    return db;
  }

  beforeAll(async () => {
    server = await startMariaDb();
    const keystone = await startIdentity({
      config: configFrom([...identityOptions], {
        DEFAULT: { admin_token: 'ADMIN', bind_host: '127.0.0.1' },
        token: { driver: 'keystone.token.backends.sql.Token' },
      }),
      db: await takenOver('keystone'),
      bus: null,
      world,
      ports: { public: 0, admin: 0 },
      bindHost: '127.0.0.1',
    });
    started.push(keystone);
    identity = `http://${keystone.addresses[0]}/v2.0`;
    admin = `http://${keystone.addresses[1]}/v2.0`;
    const glance = await startImageApi({
      config: configFrom([...imageDeclarations], {
        DEFAULT: { filesystem_store_datadir: dir, scrubber_datadir: join(dir, 'scrubber') },
        paste_deploy: { flavor: 'keystone' },
      }),
      world,
      db: await takenOver('glance'),
      validator: keystone.validator,
      listen: { host: '127.0.0.1', port: 0 },
    });
    started.push(glance);
    images = `http://${glance.addresses[0]}`;
    await takenOver('nova');
  });
  afterAll(async () => {
    for (const service of started.reverse()) await service.stop();
    for (const db of databases) await db.close();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function login(username: string, password: string): Promise<Response> {
    return fetch(`${identity}/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { tenantName: 'demo', passwordCredentials: { username, password } } }),
    });
  }

  it('keystone knows its users, their passwords and roles, and the tokens already given', async () => {
    const answer = await login('demo', PASSWORD);
    expect(answer.status).toBe(200);
    const { access } = (await answer.json()) as {
      access: { user: { roles: { name: string }[] }; serviceCatalog: { type: string }[] };
    };
    expect(access.user.roles.map(role => role.name).sort()).toEqual(['Member', 'netadmin', 'sysadmin']);
    expect(access.serviceCatalog.map(service => service.type)).toContain('compute');
    expect((await login('demo', 'wrong')).status).toBe(401);

    const keystone = databases[0]!;
    const old = (await keystone
      .knex('token')
      .where('valid', 1)
      .where('expires', '>', '2026-11-24 20:00:00')
      .where('extra', 'like', '%"name": "demo", "description"%')
      .first('id'))!;
    const check = await fetch(`${admin}/tokens/${old.id}`, { headers: { 'x-auth-token': 'ADMIN' } });
    expect(check.status).toBe(200);
    expect(await check.json()).toMatchObject({ access: { token: { tenant: { name: 'demo' } } } });
  });

  it('glance shows its images', async () => {
    const { access } = (await (await login('demo', PASSWORD)).json()) as {
      access: { token: { id: string } };
    };
    const headers = { 'x-auth-token': access.token.id };
    const first = await fetch(`${images}/v1/images/detail`, { headers });
    const { images: listed } = (await first.json()) as {
      images: { name: string; size: number; status: string }[];
    };
    expect(listed.map(image => image.name)).toEqual(expect.arrayContaining(['cirros', 'aki', 'ari', 'ami']));
    expect(listed.find(image => image.name === 'cirros')).toMatchObject({
      size: 1_048_576,
      status: 'active',
    });
    const second = await fetch(`${images}/v2/images`, { headers });
    expect(((await second.json()) as { images: unknown[] }).images).toHaveLength(listed.length);
  });

  it('nova counts for quotas what the original counted, with nothing held back', async () => {
    expect(await databases[2]!.knex('quota_usages').where({ deleted: 0 })).toHaveLength(5);
    expect(await unequalQuotas(databases[2]!)).toEqual([]);
  });

  it('nova-manage lists services, servers, networks, flavors and addresses', async () => {
    const manage = async (line: string): Promise<string> => {
      let text = '';
      const write = (more: string) => {
        text += more;
      };
      const code = await runNovaManage(
        {
          script: 'nova-manage',
          config: configFrom([commonOptions, novaOptions]),
          clock: world.clock,
          random: systemRandom,
          out: write,
          err: write,
          ask: () => '',
          openDatabase: () => openDatabase({ connection: server.url('nova') }),
          createNetworks: () => Promise.reject(new Error('not here')),
          cast: () => Promise.reject(new Error('not here')),
          systemLogs: [],
        },
        line.split(' '),
      );
      expect(code, text).toBe(0);
      return text;
    };
    expect(await manage('db version')).toBe('133\n');
    const services = await manage('service list');
    expect(services.match(/ :-\) /g)).toHaveLength(7);
    expect(services).toContain('nova-compute     oracle-host2 ');
    const servers = (await manage('vm list')).split('\n').filter(line => line !== '');
    expect(servers).toHaveLength(1 + 8);
    expect(servers[1]).toMatch(/^vm1 +oracle-host2 +m1\.tiny +active +2026-11-23 21:15:22 /);
    expect(await manage('network list')).toContain('\t10.0.0.0/22 ');
    expect(await manage('flavor list')).toContain('m1.xlarge: Memory: 16384MB');
    expect(await manage('fixed list')).toContain('10.0.0.2       \tvm1            \toracle-host2\n');
    expect((await manage('floating list')).split('\n').length).toBeGreaterThan(10);
  });
});
