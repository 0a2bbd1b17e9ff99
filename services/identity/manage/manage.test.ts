import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { tempDir } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identityOptions } from '../options.ts';
import { passwords } from '../passwords.ts';
import { findCredential } from '../repositories/ec2-credentials.ts';
import { findGrant } from '../repositories/grants.ts';
import { findLogin } from '../repositories/login.ts';
import { flushTokens, tokenWriter } from '../repositories/tokens.ts';
import { commands, MissingParameter } from './commands.ts';
import { listCommands } from './usage.ts';

const world = { clock: systemClock, random: systemRandom, log: silentLogger };
let dir: { path: string; remove(): void };
let db: Database;
let printed: string[];
beforeEach(async () => {
  dir = tempDir('keystone-manage');
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'keystone');
  printed = [];
});
afterEach(async () => {
  await db.close();
  dir.remove();
});

/** As nova made them. */
const ACCESS_KEY = '1f5d2c3e-8a7b-4c6d-9e0f-a1b2c3d4e5f6';
const HASH = `$6$rounds=40000$abcdefghijklmnop$${'x'.repeat(86)}`;

const runCommand = (name: keyof typeof commands, args: string[] = []) =>
  commands[name]!.run({
    config: configFrom(identityOptions, {
      DEFAULT: { crypt_strength: '1000' },
      signing: { jwt_key_dir: join(dir.path, 'keys') },
    }),
    world,
    args,
    print: line => void printed.push(line),
    database: async () => db,
    openOther: connection => openDatabase({ connection, mustExist: true }),
  });

it('token_flush deletes what has expired, and only that', async () => {
  const write = tokenWriter(db);
  const now = systemClock.now();
  const token = (key: string, expiresAt: number) =>
    write({ key, user: { id: 'u', name: 'u' }, tenant: null, metadata: {}, issuedAt: 0, expiresAt }, key);
  await Promise.all([token('old', now - 60_000), token('older', now - 90_000), token('new', now + 60_000)]);
  expect(await runCommand('token_flush')).toBe(0);
  expect(printed).toEqual(['2 expired tokens deleted']);
  expect((await db.knex('token').select('id')).map(row => row.id)).toEqual(['new']);
  expect((await db.knex('folsom_token_owner').select('token_id')).map(row => row.token_id)).toEqual(['new']);
  expect(await flushTokens(db, now, 10)).toBe(0);
});

it('token_rotate makes a new pair and keeps the old public key', async () => {
  await runCommand('token_rotate');
  await runCommand('token_rotate');
  const files = readdirSync(join(dir.path, 'keys')).sort();
  expect(files.filter(name => name.endsWith('.pub'))).toHaveLength(2);
  expect(files.filter(name => name.endsWith('.key'))).toHaveLength(1);
  expect(printed.at(-1)).toMatch(/^tokens are now signed with key [0-9a-f]{16}$/);
});

it('import_nova_auth takes over people, roles and EC2 pairs', async () => {
  const file = join(dir.path, 'dump.json');
  const dump = {
    tenants: [{ id: 'proj', description: 'd' }],
    users: [{ id: 'anna', password: 'pw' }],
    user_tenant_list: [{ user_id: 'anna', tenant_id: 'proj' }],
    roles: ['sysadmin'],
    role_user_tenant_list: [{ role: 'sysadmin', user_id: 'anna', tenant_id: 'proj' }],
    ec2_credentials: [{ user_id: 'anna', access_key: ACCESS_KEY, secret_key: 'sk' }],
  };
  writeFileSync(file, JSON.stringify(dump));
  expect(await runCommand('import_nova_auth', [file])).toBe(0);
  const { user, tenant, grant } = await findLogin(db.knex, { userName: 'anna', tenantName: 'proj' });
  expect(grant).toMatchObject({ member: true });
  expect(grant.roleIds).toHaveLength(1);
  expect(await passwords({ world, rounds: 1000 }).verify('u', user, 'pw')).toBe(true);
  // Longer than the column: its user knows the whole of it all the same.
  const pair = await findCredential(db.knex, `${tenant!.id}:${ACCESS_KEY}`);
  expect(pair).toMatchObject({ secret: 'sk', user_id: user!.id, tenant_id: tenant!.id });
  expect(pair?.access).toHaveLength(64);
  // Again: nothing of it happens.
  await expect(runCommand('import_nova_auth', [file])).rejects.toThrow(/Conflict/);
  expect(await db.knex('user').select()).toHaveLength(1);
});

it('import_legacy and export_legacy_catalog read a Diablo database', async () => {
  const path = `sqlite:///${join(dir.path, 'legacy.db')}`;
  const legacy = await openDatabase({ connection: path });
  for (const sql of [
    'CREATE TABLE tenants (id INTEGER, uid TEXT, name TEXT, desc TEXT, enabled INTEGER)',
    "INSERT INTO tenants VALUES (1, 't-uid', 'demo', 'D', 1)",
    'CREATE TABLE users (id INTEGER, uid TEXT, name TEXT, email TEXT, password TEXT, enabled INTEGER, tenant_id INTEGER)',
    "INSERT INTO users VALUES (7, 'u-uid', 'anna', 'a@x', 'as typed', 0, 1)",
    "INSERT INTO users VALUES (8, 'v-uid', 'nobody', 'n@x', NULL, 1, 1)",
    `INSERT INTO users VALUES (9, 'w-uid', 'hashed', 'h@x', '${HASH}', 1, 1)`,
    'CREATE TABLE roles (id TEXT, name TEXT)',
    "INSERT INTO roles VALUES ('3', 'Member')",
    'CREATE TABLE user_roles (user_id INTEGER, tenant_id INTEGER, role_id TEXT)',
    "INSERT INTO user_roles VALUES (7, 1, '3'), (7, NULL, '3')",
    'CREATE TABLE credentials (user_id INTEGER, tenant_id INTEGER, key TEXT, secret TEXT)',
    "INSERT INTO credentials VALUES (7, 1, 'ak', 'sk')",
    'CREATE TABLE services (id INTEGER, type TEXT, desc TEXT)',
    "INSERT INTO services VALUES (5, 'compute', 'Nova')",
    'CREATE TABLE endpoint_templates (service_id INTEGER, region TEXT, public_url TEXT, admin_url TEXT, internal_url TEXT, enabled INTEGER)',
    "INSERT INTO endpoint_templates VALUES (5, 'R', 'http://h/%tenant_id%', 'a', 'i', 1)",
  ]) {
    await legacy.knex.raw(sql);
  }
  await legacy.close();
  await runCommand('import_legacy', [path]);
  expect((await findGrant(db.knex, 'u-uid', 't-uid')).roleIds).toEqual(['3']);
  const { user } = await findLogin(db.knex, { userName: 'anna' });
  expect(user?.extra).toMatchObject({ enabled: false, tenant_id: 't-uid' });
  expect(user?.extra.password).toMatch(/^\$6\$rounds=1000\$/);
  expect(await passwords({ world, rounds: 1000 }).verify('u', user, 'as typed')).toBe(true);
  expect((await findLogin(db.knex, { userName: 'nobody' })).user?.extra.password).toBeNull();
  expect((await findLogin(db.knex, { userName: 'hashed' })).user?.extra.password).toBe(HASH);
  await runCommand('export_legacy_catalog', [path]);
  expect(printed).toEqual([
    'catalog.R.compute.internalURL = i',
    'catalog.R.compute.publicURL = http://h/$(tenant_id)s',
    'catalog.R.compute.adminURL = a',
    'catalog.R.compute.enabled = 1',
    'catalog.R.compute.name = Nova',
  ]);
});

it('names a missing parameter', async () => {
  await expect(runCommand('import_legacy')).rejects.toThrow(MissingParameter);
  await expect(runCommand('import_legacy', [`sqlite:///${join(dir.path, 'nowhere.db')}`])).rejects.toThrow(
    /^there is no database .*nowhere.db$/,
  );
  await expect(runCommand('import_nova_auth')).rejects.toThrow('Missing parameter: dump_file');
});

it('lists the commands as the original does', () => {
  const lines = listCommands(commands).split('\n');
  expect(lines.slice(0, 4)).toEqual([
    '',
    'Available commands:',
    '                db_sync: Sync the database.',
    '  export_legacy_catalog: Export the service catalog from a legacy database.',
  ]);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(80);
});
