import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@folsom/db';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGlanceManage } from './glance-manage.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'glance-manage-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function manage(line: string, file = 'glance.db'): Promise<string> {
  let text = '';
  const write = (more: string) => {
    text += more;
  };
  const connection = `sqlite:///${join(dir, file)}`;
  const code = await runGlanceManage(
    { connection, openDatabase: () => openDatabase({ connection }), out: write, err: write },
    line.split(' ').filter(word => word !== ''),
  );
  return `${text.replace(dir, 'DIR')}[${code}]`;
}

it('takes a database from nothing to the newest version', async () => {
  expect(await manage('db_version')).toBe(
    "ERROR: database 'sqlite:///DIR/glance.db' is not under migration control\n[1]",
  );
  expect(await manage('upgrade')).toContain('is not under migration control');
  expect(await manage('db_sync')).toBe('[0]');
  expect(await manage('db_version')).toBe('15\n[0]');
  expect(await manage('db_sync 15')).toBe('[0]');
  expect(await manage('db_sync 15 3')).toContain('is already under migration control');
  expect(await manage('downgrade 14')).toContain('cannot be reached');
  expect(await manage('downgrade 15')).toBe('[0]');
  expect(await manage('upgrade 99')).toContain('cannot be reached');
  expect(await manage('upgrade x')).toBe('ERROR: "x" is not a version number\n[1]');
});

it('writes down the version of a database it did not make', async () => {
  expect(await manage('version_control 12', 'other.db')).toBe('[0]');
  expect(await manage('db_version', 'other.db')).toBe('12\n[0]');
  expect(await manage('db_sync', 'other.db')).toContain("older than Folsom's");
  expect(await manage('version_control', 'other.db')).toContain('is already under migration control');
});

it('never shows the password of the connection', async () => {
  let text = '';
  const db = await openDatabase({ connection: 'sqlite://' });
  await runGlanceManage(
    {
      connection: 'mysql://glance:swordfish@192.0.2.1/glance',
      openDatabase: async () => db,
      out: more => {
        text += more;
      },
      err: more => {
        text += more;
      },
    },
    ['db_version'],
  );
  expect(text).toBe("ERROR: database 'mysql://glance:***@192.0.2.1/glance' is not under migration control\n");
});
