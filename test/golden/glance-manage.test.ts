import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@folsom/host';
import { type GoldenScenario, readGolden } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startImageCloud } from './image-cloud.ts';

const SET = 'glance-manage';
const DEPLOY = new URL('../../deploy/', import.meta.url);

/** Differences on purpose; reasons in differences.md. */
const ON_PURPOSE: Record<string, { exit: number; stdout: RegExp; stderr: RegExp }> = {
  '010': { exit: 0, stdout: /^2012\.2\.4\n$/, stderr: /^$/ },
};
/** Texts of `--help` that list the options of a configuration file: only their head must be the same. */
const OPTION_LISTS = /^(009|012|014|015|016|017|018|019)/;
/** Asks a running API. */
const NEEDS_API = new Set(['020']);

describe('the management programs of glance answer as recorded', () => {
  const scenarios = readGolden(SET);
  const dir = mkdtempSync(join(tmpdir(), 'glance-manage-'));
  const conf = join(dir, 'glance-registry.conf');
  const connection = `sqlite:///${join(dir, 'glance.db')}`;
  const absent = new Set<string>();
  let matched = 0;
  let optionLists = 0;

  beforeAll(async () => {
    writeFileSync(conf, `[DEFAULT]\nsql_connection = ${connection}\n`);
    expect((await program(['glance-manage', '--config-file', conf, 'db_sync'])).exit).toBe(0);
  });
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
    console.log(
      `glance-manage: matches ${matched} of ${scenarios.length}, option lists ${optionLists}, on purpose ` +
        `${Object.keys(ON_PURPOSE).length}, programs not there: ${[...absent].join(' ') || 'none'}`,
    );
  });

  async function program([name, ...argv]: string[]): Promise<{
    exit: number;
    stdout: string;
    stderr: string;
  }> {
    const script = join(dir, name!);
    writeFileSync(
      `${script}.mjs`,
      `import { launch } from ${JSON.stringify(new URL('launch.mjs', DEPLOY).href)};\nawait launch('${name}');\n`,
    );
    const done = await run([process.execPath, `${script}.mjs`, ...argv], {
      timeoutMs: 60_000,
      allowedCodes: 'any',
    });
    return { exit: done.code, stdout: done.stdout, stderr: done.stderr };
  }

  /** The recorded connection string has a server and password of its own. */
  const plain = (text: string): string => text.replace(/database '[^']+'/, "database 'CONNECTION'");

  async function check(scenario: GoldenScenario): Promise<void> {
    const number = scenario.slug.slice(0, 3);
    const words = scenario.command!.split(/\s+/).filter(word => word !== '');
    const argv = words.map(word => (word === '/etc/glance/glance-registry.conf' ? conf : word));
    if (!existsSync(fileURLToPath(new URL(`programs/${argv[0]}.ts`, DEPLOY)))) {
      absent.add(argv[0]!);
      return;
    }
    const api = NEEDS_API.has(number) ? await startImageCloud() : undefined;
    const given = await program(api ? [argv[0]!, '--port', String(api.ports.api), ...argv.slice(1)] : argv);
    await api?.stop();
    const purpose = ON_PURPOSE[number];
    if (purpose) {
      expect(given.stdout).toMatch(purpose.stdout);
      expect(given.stderr).toMatch(purpose.stderr);
      expect(given.exit).toBe(purpose.exit);
      return;
    }
    if (OPTION_LISTS.test(scenario.slug)) {
      const head = (text: string) => text.split('\nOptions:\n')[0];
      expect(head(given.stdout)).toEqual(head(scenario.stdout));
      expect(given.stdout).toMatch(/\n {2}--config-file=PATH/);
      optionLists++;
    } else {
      expect(plain(given.stdout)).toBe(scenario.stdout);
    }
    expect(plain(given.stderr)).toBe(plain(scenario.stderr));
    expect(given.exit).toBe(scenario.exit);
    if (!OPTION_LISTS.test(scenario.slug)) matched++;
  }

  for (const scenario of scenarios) it(scenario.slug, () => check(scenario));
});
