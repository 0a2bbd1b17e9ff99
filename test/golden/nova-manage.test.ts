import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runNovaManage } from '@folsom/compute-api/manage';
import { commonOptions, configFrom } from '@folsom/config';
import { seededRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { createNetworks } from '@folsom/network/create-networks';
import { novaOptions } from '@folsom/nova/options';
import {
  fakeClock,
  type GoldenScenario,
  type MariaDb,
  readGolden,
  serverMissing,
  startMariaDb,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as cloud from './nova-manage-cloud.ts';
import { listedDifferences } from './replay.ts';

const SET = 'nova-manage';
/** Scenarios from here on were recorded later, on another state of the cloud. */
const LATER = 151;
const RECORDED_AT = Date.UTC(2026, 10, 23, 20, 49, 40);
const RECORDED_LATER_AT = Date.UTC(2026, 10, 23, 21, 9, 5);

/** Differences on purpose; reasons in differences.md. Value: what ours does instead. */
const ON_PURPOSE: Record<string, { exit: number; text: RegExp }> = {
  '001': { exit: 0, text: /^Usage: nova-manage \[options\]\n\nOptions:\n[\s\S]*--sql_connection/ },
  '033': { exit: 0, text: /^api_paste_config = api-paste\.ini\n[\s\S]*quota_ram = 51200\n/m },
  '088': { exit: 0, text: /10\.0\.0\.2 +\tvm1 +\toracle-host\n/ },
  '089': { exit: 0, text: /No fixed IP found\.\n/ },
  '114': { exit: 1, text: /there is no Python in this product/ },
  '158': { exit: 0, text: /\/nova-manage\.log:-\nLine 2 : .* ERROR nova\.compute\.instance_types / },
};
/** Printed in the order of a Python dictionary: compared line by line in any order. */
const ANY_ORDER = new Set(['040', '048', '051', '053', '163']);

const numberOf = (scenario: GoldenScenario): number => Number.parseInt(scenario.slug, 10);

it('differs where differences.md says so, and nowhere else', () => {
  const numbers = Object.keys(ON_PURPOSE).map(Number);
  expect([...listedDifferences(SET).keys()]).toEqual(numbers.sort((a, b) => a - b));
});

const DATABASES = serverMissing('mariadb') ? ['SQLite'] : ['SQLite', 'MariaDB'];

describe.each(DATABASES)('nova-manage answers as recorded, on %s', database => {
  const scenarios = readGolden(SET);
  const bySlug = (number: number): GoldenScenario => scenarios.find(item => numberOf(item) === number)!;
  const dir = mkdtempSync(join(tmpdir(), 'nova-manage-'));
  let server: MariaDb | undefined;
  const connection = (later: boolean) =>
    server?.url(later ? 'later' : 'first') ?? `sqlite:///${join(dir, later ? 'later.db' : 'first.db')}`;
  const random = seededRandom(1);
  let matched = 0;

  async function prepare(later: boolean, seed: (db: Database) => Promise<void>): Promise<void> {
    const db = await openDatabase({ connection: connection(later) });
    await dbSync(db, 'nova');
    await seed(db);
    await db.close();
  }

  beforeAll(async () => {
    writeFileSync(
      join(dir, 'nova-manage.log'),
      '2026-11-23 20:49:43 DEBUG nova\n2026-11-23 20:49:44 ERROR nova.compute.instance_types [-] not found\n',
    );
    if (database === 'MariaDB') {
      server = await startMariaDb();
      for (const name of ['first', 'later']) await server.createDatabase(name);
    }
    await prepare(false, async db => {
      await cloud.seedServices(db, bySlug(34));
      await cloud.seedFlavors(db, bySlug(48));
      await cloud.seedServers(db, bySlug(46));
      await cloud.seedComputeNode(db, bySlug(40));
      await cloud.seedNetworks(db, bySlug(63));
      await db.knex('fixed_ips').insert({ network_id: 1, address: '10.0.3.201', reserved: 0, deleted: 0 });
    });
    await prepare(true, async db => {
      await cloud.seedServices(db, bySlug(164));
      await cloud.seedFlavors(db, bySlug(163));
      await cloud.seedServers(db, bySlug(170));
      await cloud.seedNetworks(db, bySlug(159));
      await cloud.seedFixedIps(db, bySlug(157));
      await cloud.seedFloatingIps(db, bySlug(156));
    });
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
    console.log(
      `nova-manage on ${database}: matches ${matched} of ${scenarios.length}, ${Object.keys(ON_PURPOSE).length} differ on purpose`,
    );
  });

  /** What happened to the recorded cloud between two recorded commands. */
  const meanwhile: Record<string, (db: Database) => Promise<void>> = {
    '076': async db => {
      await db.knex('networks').where('cidr', '10.20.0.0/24').update({ deleted: 1 });
      await db.knex('fixed_ips').where('address', 'like', '10.20.0.%').update({ deleted: 1 });
    },
    '077': async db => {
      await db.knex('networks').where('cidr', '10.21.0.0/24').update({ id: 4 });
      await db.knex('fixed_ips').where('address', 'like', '10.21.0.%').update({ network_id: 4 });
      await db.knex('fixed_ips').where('address', '10.21.0.4').update({ allocated: 1 });
    },
    '087': async db => {
      await db.knex('fixed_ips').delete();
      await cloud.seedFixedIps(db, bySlug(87));
    },
  };

  async function answer(scenario: GoldenScenario): Promise<{ exit: number; stdout: string; stderr: string }> {
    const argv = shellWords(scenario.command!).slice(1);
    // The program's own options are read by the program file.
    if (argv[0]?.startsWith('--')) return program(dir, argv);
    const later = numberOf(scenario) >= LATER;
    const change = meanwhile[scenario.slug.slice(0, 3)];
    if (change) await prepare(later, change);
    const config = configFrom(
      [commonOptions, novaOptions],
      {
        DEFAULT: {
          flat_network_bridge: 'br100',
          flat_interface: 'dummy0',
          public_interface: 'dummy0',
          log_dir: dir,
        },
      },
      { facts: { host: 'oracle-host', my_ip: '127.0.0.1' } },
    );
    const options = config.of(novaOptions);
    const clock = fakeClock(later ? RECORDED_LATER_AT : RECORDED_AT);
    let stdout = '';
    let stderr = '';
    const exit = await runNovaManage(
      {
        script: '/usr/bin/nova-manage',
        config,
        clock,
        random,
        out: text => {
          stdout += text;
        },
        err: text => {
          stderr += text;
        },
        ask: () => '',
        openDatabase: () => openDatabase({ connection: connection(later) }),
        createNetworks: (db, request) =>
          createNetworks({ db, random, now: clock.now() }, request, {
            bridge: options.flat_network_bridge,
            bridgeInterface: options.flat_interface,
            numNetworks: options.num_networks,
            networkSize: options.network_size,
            multiHost: options.multi_host,
            dns1: options.flat_network_dns,
          }),
        cast: () => Promise.reject(new Error('nothing to send here')),
        systemLogs: [join(dir, 'no-syslog')],
      },
      argv,
    );
    return { exit, stdout, stderr };
  }

  for (const scenario of scenarios) {
    it(scenario.slug, async () => {
      const number = scenario.slug.slice(0, 3);
      const given = await answer(scenario);
      const differs = ON_PURPOSE[number];
      if (differs) {
        expect(given.stdout + given.stderr).toMatch(differs.text);
        expect(given.exit).toBe(differs.exit);
        return;
      }
      const order = (text: string) => (ANY_ORDER.has(number) ? text.split('\n').sort().join('\n') : text);
      expect(order(withoutDates(given.stdout))).toBe(order(withoutDates(scenario.stdout)));
      expect(said(given.stderr)).toEqual(said(scenario.stderr));
      expect(given.exit).toBe(scenario.exit);
      matched++;
    });
  }
});

const withoutDates = (text: string): string => text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE TIME');

/** What standard error says to the operator: without tracebacks, times, process numbers and request ids. */
function said(text: string): string[] {
  return text.split('\n').flatMap(line => {
    const log = /^\S+ \S+ (?:\d+ )?(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) \S+ (?:\[[^\]]*\] )?(.*)$/.exec(
      line,
    );
    if (log) return log[1] === 'CRITICAL' || log[1] === 'ERROR' ? [`${log[1]} ${log[2]}`] : [];
    return /^(Usage|nova-manage): /.test(line) ? [line] : [];
  });
}

/** Runs the program itself, for what concerns its own options. */
async function program(
  dir: string,
  argv: string[],
): Promise<{ exit: number; stdout: string; stderr: string }> {
  const launch = new URL('../../deploy/launch.mjs', import.meta.url).href;
  const script = join(dir, 'nova-manage.mjs');
  writeFileSync(script, `import { launch } from ${JSON.stringify(launch)};\nawait launch('nova-manage');\n`);
  const done = await run([process.execPath, script, ...argv], { timeoutMs: 60_000, allowedCodes: 'any' });
  return { exit: done.code, stdout: done.stdout, stderr: done.stderr };
}

const shellWords = (text: string): string[] =>
  [...text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(match => match[0].replace(/["']/g, ''));
