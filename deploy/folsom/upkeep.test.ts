import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dbSync, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { layoutOf } from './layout.ts';
import { supportBundle } from './support-bundle.ts';
import { upgradeCheck } from './upgrade-check.ts';

let dir: string;
const layout = () => layoutOf(join(dir, 'var'));

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-upkeep-'));
  for (const folder of ['db', 'etc', 'log']) await mkdir(join(dir, 'var', folder), { recursive: true });
  const db = await openDatabase({ connection: `sqlite:///${layout().db('glance')}` });
  await dbSync(db, 'glance');
  await db.close();
});
afterAll(() => rm(dir, { recursive: true }));

const checked = async () => {
  const lines: string[] = [];
  const code = await upgradeCheck(layout(), line => lines.push(line));
  return { code, text: lines.join('\n') };
};

it('says what a start would do to each database, and what would stop it', async () => {
  expect(await checked()).toMatchObject({
    code: 0,
    text: expect.stringContaining('glance: schema 15, nothing to do'),
  });
  const db = await openDatabase({ connection: `sqlite:///${layout().db('glance')}` });
  try {
    const [index] = await db
      .knex('sqlite_master')
      .whereLike('name', '%folsom%')
      .where({ type: 'index' })
      .pluck('name');
    await db.knex.raw(`DROP INDEX ${index}`);
    expect((await checked()).text).toMatch(
      /glance: the start brings schema 15 to 15 and adds 1 tables and indexes/,
    );
    await db.knex('migrate_version').update({ version: 99 });
  } finally {
    await db.close();
  }
  const newer = await checked();
  expect(newer).toMatchObject({
    code: 1,
    text: expect.stringMatching(/^problem .*glance schema 99, which is newer/),
  });
  await writeFile(join(layout().etc, 'nova.conf'), '[DEFAULT]\nquota_instances = many\n');
  expect((await checked()).text).toMatch(/problem .*nova\.conf:2.*quota_instances/);
});

it('packs what helps, and no secret wherever it stands', async () => {
  const { secrets, etc, log } = layout();
  await writeFile(
    secrets,
    JSON.stringify({ adminPassword: 'SECRET-admin', hashPathSuffix: 'SECRET-suffix' }),
  );
  await writeFile(
    join(etc, 'nova.conf'),
    '[DEFAULT]\nrabbit_password = SECRET-rabbit\nsql_connection = mysql://nova:SECRET-sql@db/nova\nquota_instances = 7\n',
  );
  await writeFile(
    join(etc, 'proxy-server.conf'),
    '[filter:tempauth]\nuser_admin_admin = SECRET-tempauth .admin\n[filter:cache]\nmemcache_servers = 127.0.0.1:11211\n',
  );
  await writeFile(log, '{"message":"password=SECRET-typed","line":"SECRET-sql SECRET-rabbit req-1"}\n');
  const target = join(dir, 'bundle.tar.gz');
  const said: string[] = [];
  const printed = {
    'status.txt': async (print: (line: string) => void) => print('nova-api up, SECRET-admin'),
  };
  await supportBundle(layout(), target, { version: '1.2.3', now: 0, printed }, line => said.push(line));
  expect(said[0]).toContain(target);
  await run(['tar', '-xzf', target, '-C', dir], { timeoutMs: 30_000 });
  const of = (name: string) => readFile(join(dir, 'bundle', name), 'utf8');
  const texts = [];
  for (const name of [
    'about.txt',
    'status.txt',
    'databases.txt',
    'host.txt',
    'folsom.log',
    'etc/nova.conf',
    'etc/proxy-server.conf',
  ])
    texts.push(await of(name));
  expect(texts.join('\n')).not.toContain('SECRET');
  expect(texts[0]).toContain('folsom 1.2.3');
  expect(texts[1]).toBe('nova-api up, ***\n');
  expect(texts[2]).toMatch(/glance: \d+ bytes\n {2}folsom|glance: \d+ bytes\n {2}image_locations|images: 0/);
  expect(texts[4]).toContain('req-1');
  expect(texts[5]).toContain('quota_instances = 7');
  expect(texts[5]).toContain('mysql://nova:***@db/nova');
  expect(texts[6]).toContain('memcache_servers = 127.0.0.1:11211');
  await expect(
    supportBundle(layout(), target, { version: '1', now: 0, printed: {} }, () => {}),
  ).rejects.toThrow(/there already/);
});
