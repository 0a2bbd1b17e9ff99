import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { freeMib, type LookAtDisk } from '@folsom/core';
import { openDatabase, syncPlan } from '@folsom/db';
import type { Print } from './commands.ts';
import { type Finding, printFindings } from './doctor.ts';
import type { Layout } from './layout.ts';
import { readRunning } from './running.ts';
import { readServiceConf, SERVICE_CONFS, withoutEffect } from './service-conf.ts';

const DATABASES = ['keystone', 'glance', 'nova'] as const;
const MIB = 1024 * 1024;

/**
 * Says what the next start with this version does to a state directory that an older one wrote, and what would stop it.
 * Changes nothing. Exit code 1 where something would.
 */
export async function upgradeCheck(layout: Layout, print: Print, look?: LookAtDisk): Promise<number> {
  const findings = (
    await Promise.all([running(layout), databases(layout), configuration(layout), room(layout, look)])
  ).flat();
  printFindings(findings, print);
  return findings.some(({ severity }) => severity === 'problem') ? 1 : 0;
}

async function running(layout: Layout): Promise<Finding[]> {
  const now = await readRunning(layout);
  if (now === undefined) return [{ severity: 'ok', what: 'the cloud of this state directory is stopped' }];
  return [
    {
      severity: 'warning',
      what: `the cloud runs (process ${now.pid}); this version counts from its next start on`,
      fix: 'folsom down, then folsom up: guests run on meanwhile',
    },
  ];
}

async function databases(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of DATABASES) {
    const file = layout.db(name);
    if (!(await exists(file))) {
      findings.push({ severity: 'ok', what: `${file} is not there yet; the start makes it` });
      continue;
    }
    const db = await openDatabase({ connection: `sqlite:///${file}` });
    try {
      const { from, to, missing, refusal } = await syncPlan(db, name);
      if (refusal !== undefined)
        findings.push({
          severity: 'problem',
          what: refusal,
          fix: 'start the version that wrote it, or restore a backup',
        });
      else if (from === to && missing === 0)
        findings.push({ severity: 'ok', what: `${name}: schema ${to}, nothing to do` });
      else
        findings.push({
          severity: 'warning',
          what: `${name}: the start brings schema ${from ?? 'none'} to ${to} and adds ${missing} tables and indexes`,
          fix: 'folsom backup DIRECTORY first',
        });
    } finally {
      await db.close();
    }
  }
  return findings;
}

async function configuration(layout: Layout): Promise<Finding[]> {
  const there = await Promise.all(SERVICE_CONFS.map(({ file }) => exists(join(layout.etc, file))));
  return SERVICE_CONFS.filter((_, at) => there[at]).flatMap(({ name, file }): Finding[] => {
    try {
      const idle = withoutEffect(layout, name, readServiceConf(layout, name));
      if (idle.length === 0) return [{ severity: 'ok', what: `${file} is understood` }];
      return idle.map(what => ({ severity: 'warning', what, fix: 'take it out (folsom config unset)' }));
    } catch (error) {
      const what = (error as Error).message;
      return [{ severity: 'problem', what, fix: `mend ${join(layout.etc, file)}` }];
    }
  });
}

/** A backup of the databases should find room beside them. */
async function room(layout: Layout, look?: LookAtDisk): Promise<Finding[]> {
  const free = await freeMib(layout.dir, look);
  if (free === undefined) return [];
  const names = await readdir(join(layout.dir, 'db')).catch(() => []);
  // What SQLite keeps beside a database goes when the last one closes it.
  const sizes = await Promise.all(
    names.map(name =>
      stat(join(layout.dir, 'db', name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const needed = Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / MIB);
  if (free > needed) return [{ severity: 'ok', what: `${free} MiB are free, the databases have ${needed}` }];
  return [
    {
      severity: 'problem',
      what: `${free} MiB are free, and the databases have ${needed}: they could not be copied before they are changed`,
      fix: 'make room, or put the backup on another disk',
    },
  ];
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
