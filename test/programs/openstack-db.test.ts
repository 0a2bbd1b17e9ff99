import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dbVersion, openDatabase } from '@folsom/db';
import { main as openstackDb } from '@folsom/deploy/programs/openstack-db';
import { type MariaDb, startMariaDb, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

let server: MariaDb;
const dir = tempDir('openstack-db');
beforeAll(async () => {
  server = await startMariaDb();
}, 200_000);
afterAll(async () => {
  vi.restoreAllMocks();
  await server.stop();
  dir.remove();
});

it('makes a service its database, user, tables and line in the configuration, and takes it away again', async () => {
  let out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    out += String(text);
    return true;
  });
  const { host, username, password } = new URL(server.url('mysql'));
  const conf = join(dir.path, 'keystone', 'keystone.conf');
  mkdirSync(join(dir.path, 'keystone'));
  writeFileSync(conf, '[DEFAULT]\nadmin_token = x\n[sql]\nconnection = mysql://old\nidle_timeout = 200\n');
  const root = ['--host', host, '--rootuser', username, '--rootpw', password, '--confdir', dir.path];
  const run = (...argv: string[]) => openstackDb([...argv, ...root]);

  // As the installation guides of 2012 have it.
  expect(await run('--init', '--service', 'keystone', '--pass', 'key/stone'), out).toBe(0);
  const connection = `mysql://keystone:key%2Fstone@${host}/keystone`;
  expect(readFileSync(conf, 'utf8')).toBe(
    `[DEFAULT]\nadmin_token = x\n[sql]\nidle_timeout = 200\nconnection = ${connection}\n`,
  );
  expect(out).toContain('Complete!');
  const db = await openDatabase({ connection });
  expect(await dbVersion(db, 'keystone')).not.toBeNull();
  await db.close();

  expect(await run('--init', '--service', 'keystone')).toBe(1);
  expect(out).toContain("Database 'keystone' already exists");
  expect(await run('--drop', '--yes', '--service', 'keystone')).toBe(0);
  expect(await run('--drop', '--yes', '--service', 'keystone')).toBe(1);
  expect(await run('--init', '--service', 'cinder')).toBe(2);
}, 120_000);
