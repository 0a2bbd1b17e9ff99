import { writeFile } from 'node:fs/promises';
import { DEMO, OTHER, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { type Database, insertRows, toSqlTime } from '@folsom/db';
import { startTestIdentity } from '@folsom/identity/testing';
import { startThrowaway } from '@folsom/image/testing';
import { startMariaDb } from '@folsom/testing';
import { addHosts } from './boot/hosts.ts';
import type { Bench } from './run.ts';

const SIZES = [100, 1_000, 10_000];
/** What the asking user has himself: the same at every size. */
const OWN = 100;
const ROUNDS = 15;
const PAGE = new URL('../../docs/scale.md', import.meta.url);

/** Median time and statements of one request at each size. */
type Figures = { ms: number; statements: number }[];
type Ask = () => Promise<{ status: number }>;

/**
 * What requests cost as the cloud grows and what is shown stays as it is: instances and images of other tenants, hosts, users. Writes
 * docs/scale.md. On MariaDB where it is installed, else SQLite.
 */
export const bench: Bench = async print => {
  const server = await startMariaDb().catch(() => undefined);
  const table = new Map<string, Figures>();
  try {
    for (const size of SIZES) {
      const connection = async (name: string) =>
        server === undefined ? {} : { connection: await server.createDatabase(`${name}_${size}`) };
      await compute(size, await connection('nova'), table);
      await images(size, await connection('glance'), table);
      await identity(size, await connection('keystone'), table);
    }
  } finally {
    await server?.stop();
  }
  const lines = rowsOf(table);
  for (const line of lines) print(line);
  await writeFile(
    PAGE,
    `${introduction(server === undefined ? 'SQLite' : 'MariaDB')}\n${lines.join('\n')}\n`,
  );
};

const introduction = (database: string) => `# Scale

What a request costs as the cloud around it grows, and what it shows stays the same. Written by \`npm run bench -- scale\` (${database}; client, service
and everything but the database in one process): median milliseconds of ${ROUNDS} requests, and SQL statements of one.

The first number of the head counts the rows that the request does not show: instances of other tenants, hosts, images of other tenants, users
and tenants. The asking user has ${OWN} instances and ${OWN} images of his own.
`;

function rowsOf(table: ReadonlyMap<string, Figures>): string[] {
  const cells = ({ ms, statements }: Figures[number]) => `${ms.toFixed(1)} ms, ${statements}`;
  return [
    `| request | ${SIZES.map(size => size.toLocaleString('en')).join(' | ')} | last to first |`,
    `|---|${SIZES.map(() => '---').join('|')}|---|`,
    ...[...table].map(([what, figures]) => {
      const [first, last] = [figures[0]!, figures.at(-1)!];
      return `| ${what} | ${figures.map(cells).join(' | ')} | ${(last.ms / first.ms).toFixed(1)} |`;
    }),
  ];
}

async function measure(table: Map<string, Figures>, db: Database, what: string, ask: Ask): Promise<void> {
  const counted = { statements: 0 };
  const count = () => counted.statements++;
  const times: number[] = [];
  // Once for the caches.
  await ask();
  db.knex.on('query', count);
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    const { status } = await ask();
    times.push(performance.now() - from);
    if (status >= 400) throw new Error(`${what} answered ${status}`);
  }
  db.knex.removeListener('query', count);
  times.sort((a, b) => a - b);
  const figures = { ms: times[times.length >> 1]!, statements: Math.round(counted.statements / ROUNDS) };
  table.set(what, [...(table.get(what) ?? []), figures]);
}

async function compute(
  size: number,
  connection: { connection?: string },
  table: Map<string, Figures>,
): Promise<void> {
  const test = await startTestApi({
    ...connection,
    nova: { quota_instances: -1, quota_cores: -1, quota_ram: -1 },
  });
  try {
    await addInstances(test, 'own', DEMO, OWN);
    await addInstances(test, 'other', OTHER, size);
    await addHosts(test.db, size);
    const ask = (path: string, admin = false) =>
      measure(table, test.db, `GET ${path}${admin ? ' (administrator)' : ''}`, () =>
        test.call('GET', path, { admin }),
      );
    await ask('servers?limit=10');
    await ask('servers/detail?limit=10');
    await measure(table, test.db, 'GET servers?limit=10&marker=(the middle)', () =>
      test.call('GET', `servers?limit=10&marker=${uuidOf('own', OWN / 2)}`),
    );
    await measure(
      table,
      test.db,
      'GET servers?limit=10&all_tenants=1&marker=(the middle) (administrator)',
      () =>
        test.call('GET', `servers?limit=10&all_tenants=1&marker=${uuidOf('other', size / 2)}`, {
          admin: true,
        }),
    );
    await measure(table, test.db, 'GET servers/ID', () => test.call('GET', `servers/${uuidOf('own', 1)}`));
    await ask('servers?name=own-7&limit=10');
    await ask('limits');
    await ask('flavors/detail');
    await ask('os-floating-ips');
    await ask('os-security-groups');
    await ask('os-keypairs');
    await ask('os-volumes');
    await ask('os-hosts/node7', true);
    await ask('os-hypervisors/8', true);
    await ask('os-hypervisors/node7/search', true);
    await ask('os-hypervisors/statistics', true);
    const body = {
      server: { name: 'bench', imageRef: [...test.images.keys()][0], flavorRef: '1' },
    };
    await measure(table, test.db, 'POST servers', () => test.call('POST', 'servers', { body }));
  } finally {
    await test.stop();
  }
}

const uuidOf = (whose: string, at: number): string =>
  `${whose === 'own' ? 1 : 2}0000000-0000-4000-8000-${String(at).padStart(12, '0')}`;

async function addInstances(test: TestApi, whose: string, project: string, count: number): Promise<void> {
  const flavor = await test.db.knex('instance_types').where({ flavorid: '1' }).first<{ id: number }>('id');
  const all = [...Array(count).keys()];
  const time = (at: number) => toSqlTime(Date.UTC(2012, 8, 27) + at * 1000);
  await insertRows(
    test.db.knex,
    'instances',
    all.map(at => ({
      uuid: uuidOf(whose, at),
      display_name: `${whose}-${at}`,
      hostname: `${whose}-${at}`,
      project_id: project,
      user_id: `user-${whose}`,
      image_ref: [...test.images.keys()][0],
      vm_state: 'active',
      power_state: 1,
      host: `node${at % 100}`,
      instance_type_id: flavor?.id,
      memory_mb: 512,
      vcpus: 1,
      root_gb: 0,
      ephemeral_gb: 0,
      created_at: time(at),
      updated_at: time(at),
      deleted: 0,
      locked: 0,
      config_drive: '',
    })),
  );
  const row = (at: number) => ({ instance_uuid: uuidOf(whose, at), created_at: time(at), deleted: 0 });
  await insertRows(
    test.db.knex,
    'instance_info_caches',
    all.map(at => ({ ...row(at), network_info: '[]' })),
  );
  await insertRows(
    test.db.knex,
    'instance_metadata',
    all.map(at => ({ ...row(at), key: 'a', value: 'b' })),
  );
}

async function images(
  size: number,
  connection: { connection?: string },
  table: Map<string, Figures>,
): Promise<void> {
  const glance = await startThrowaway(connection);
  try {
    const rows = (whose: string, owner: string, count: number) =>
      [...Array(count).keys()].map(at => ({
        id: uuidOf(whose, at),
        name: `${whose}-${at}`,
        owner,
        is_public: 0,
        status: 'active',
        size: at,
        disk_format: 'raw',
        container_format: 'bare',
        min_disk: 0,
        min_ram: 0,
        protected: 0,
        deleted: 0,
        created_at: toSqlTime(Date.UTC(2012, 8, 27) + at * 1000),
        updated_at: toSqlTime(Date.UTC(2012, 8, 27) + at * 1000),
      }));
    await insertRows(glance.db.knex, 'images', rows('own', 'tenant-alice', OWN));
    await insertRows(glance.db.knex, 'images', rows('other', 'tenant-bob', size));
    const ask = (what: string, path: string) =>
      measure(table, glance.db, `GET ${what}`, () => glance.call('GET', path, { user: 'alice' }));
    await ask('/v1/images?limit=10', '/v1/images?limit=10');
    await ask('/v1/images/detail?limit=10&name=own-7', '/v1/images/detail?limit=10&name=own-7');
    const marker = `/v2/images?limit=10&marker=${uuidOf('own', OWN / 2)}`;
    await ask('/v2/images?limit=10&marker=(the middle)', marker);
    await ask('/v2/images/ID', `/v2/images/${uuidOf('own', 1)}`);
  } finally {
    await glance.stop();
  }
}

async function identity(
  size: number,
  connection: { connection?: string },
  table: Map<string, Figures>,
): Promise<void> {
  const keystone = await startTestIdentity(connection);
  try {
    await keystone.person('bench');
    const all = [...Array(size).keys()];
    for (const kind of ['tenant', 'user'] as const) {
      await insertRows(
        keystone.db.knex,
        kind,
        all.map(at => ({ id: `${kind}${at}`, name: `${kind}-${at}`, extra: '{"enabled": true}' })),
      );
    }
    const ask = (what: string, call: Ask) => measure(table, keystone.db, what, call);
    const login = {
      auth: { passwordCredentials: { username: 'bench', password: 'secrete' }, tenantName: 'bench' },
    };
    await ask('POST tokens', () => keystone.public('POST', '/tokens', login, null));
    await ask('GET tenants?limit=10 (administrator)', () => keystone.admin('GET', '/tenants?limit=10'));
    await ask('GET tenants?limit=10&marker=(the middle) (administrator)', () =>
      keystone.admin('GET', `/tenants?limit=10&marker=tenant${size / 2}`),
    );
  } finally {
    await keystone.stop();
  }
}
