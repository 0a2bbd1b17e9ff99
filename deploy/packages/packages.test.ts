import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '@folsom/config';
import { silentLogger } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { ALL_PACKAGES, allUnits, programsOf } from './catalogue.ts';
import { buildPackage } from './debian.ts';
import { contentsOf, programNames } from './layout.ts';
import { CONFS, sampleFile } from './sample.ts';
import { tarballEntries } from './tarball.ts';
import { programTree } from './tree.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const scratch = mkdtempSync(join(tmpdir(), 'package-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('the catalogue', () => {
  it('has every program and every unit once', () => {
    const owned = programsOf(programNames());
    expect([...owned.values()].flat().sort()).toEqual(programNames());
    expect(ALL_PACKAGES.flatMap(({ units }) => units).sort()).toEqual(allUnits());
  });

  it('puts a unit where its program is, or where the package depends on it', () => {
    const owned = programsOf(programNames());
    for (const { name, units, depends } of ALL_PACKAGES) {
      const reachable = [name, ...depends].flatMap(other => owned.get(other) ?? []);
      for (const unit of units.filter(file => file.endsWith('.service') && !file.includes('@'))) {
        const text = readFileSync(join(ROOT, 'deploy', 'systemd', unit), 'utf8');
        for (const [, program] of text.matchAll(/^Exec\w+=\/opt\/folsom\/node_modules\/\.bin\/(\S+)/gm))
          expect(reachable, unit).toContain(program);
      }
    }
  });
});

describe('the tree of programs', () => {
  const tree = programTree(ROOT);
  const paths = new Set(tree.map(({ path }) => path));

  it('has no tests and nothing that only developers use', () => {
    expect(tree.filter(({ path }) => /\.test\.ts$|\.d\.ts$|^test\//.test(path))).toEqual([]);
    for (const name of ['typescript', 'vitest', '@biomejs', 'playwright-core', 'knip'])
      expect([...paths].filter(path => path.includes(`/node_modules/${name}/`))).toEqual([]);
    expect([...paths].filter(path => path.startsWith('libs/testing/'))).toEqual([]);
    // No link and no file leads out of it.
    expect([...paths].filter(path => path.startsWith('/') || path.startsWith('..'))).toEqual([]);
  });

  it('has what every link leads to', () => {
    const folders = new Set([...paths].flatMap(path => ancestors(path)));
    for (const entry of tree) {
      if (!('link' in entry)) continue;
      expect(entry.link.startsWith('/'), entry.path).toBe(false);
      expect(folders, entry.path).toContain(posix.join(dirname(entry.path), entry.link));
    }
  });

  it('has every file that its own programs name', () => {
    for (const program of programNames()) {
      expect(paths).toContain(`deploy/bin/${program}.mjs`);
      expect(paths).toContain(`deploy/programs/${program}.ts`);
    }
    expect(paths).toContain('node_modules/.bin/node');
  });
});

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== '.'; at = dirname(at)) found.push(at);
  return found;
}

describe('sample configuration', () => {
  it.each(['keystone', 'glance-api', 'nova'])(
    'of %s holds what its programs know, with values they take',
    project => {
      const conf = CONFS[project]!;
      const file = join(scratch, `${project}.conf`);
      const text = sampleFile(conf, [['DEFAULT', 'debug', 'true']]);
      expect(text.match(/^debug = true$/gm)).toHaveLength(1);
      // As an operator who takes every comment away.
      writeFileSync(
        file,
        text.replace(/^#(\w+ = .*)$/gm, (_, line: string) => (line.endsWith('<None>') ? '' : line)),
      );
      const warned: string[] = [];
      const log = { ...silentLogger, warn: (message: string) => void warned.push(message) };
      loadConfig({ program: project, ...conf, argv: ['--config-file', file], log });
      expect(warned).toEqual([]);
      // An option without a default of its own has no value that everybody knows.
      expect(text).not.toMatch(/^#?(admin_token|rabbit_password|admin_password) = \S/m);
    },
  );
});

describe.skipIf(!needs('dpkg-deb', existsSync('/usr/bin/dpkg-deb')))('a Debian package', () => {
  const build = async (at: string) => {
    const out = join(scratch, at);
    mkdirSync(out);
    return buildPackage('folsom-nova-common', {
      version: '1.2.3',
      scratch: join(out, 'staged'),
      out,
      epoch: '1767225600',
    });
  };
  const ask = (...words: string[]) => execFileSync('dpkg-deb', words, { encoding: 'utf8' });

  it('is what it is declared to be, the same each time, with scripts that a shell can read', async () => {
    const file = await build('a');
    expect(readFileSync(file).equals(readFileSync(await build('b')))).toBe(true);
    expect(ask('--field', file, 'Package', 'Version', 'Architecture', 'Depends')).toBe(
      'Package: folsom-nova-common\nVersion: 1.2.3\nArchitecture: all\nDepends: folsom-common (= 1.2.3), iproute2\n',
    );
    const lines = ask('--contents', file).trim().split('\n');
    for (const program of programsOf(programNames()).get('folsom-nova-common')!)
      expect(
        lines.some(line => line.endsWith(`./usr/bin/${program} -> /opt/folsom/node_modules/.bin/${program}`)),
      ).toBe(true);
    expect(lines.every(line => line.split(/\s+/)[1] === 'root/root')).toBe(true);
    expect(lines.find(line => line.endsWith('./etc/sudoers.d/folsom-nova'))).toMatch(/^-r--r-----/);
    expect(lines.find(line => line.endsWith('./etc/nova/nova.conf'))).toMatch(/^-rw-r-----/);
    const conffiles = ask('--info', file, 'conffiles').trim().split('\n');
    expect(conffiles.sort()).toEqual(contentsOf('folsom-nova-common').conffiles.sort());
    for (const script of ['postinst', 'prerm', 'postrm'])
      execFileSync('sh', ['-n'], { input: ask('--info', file, script) });
  });
});

describe('the archive', () => {
  const small = ALL_PACKAGES.filter(({ name }) => name !== 'folsom-common').map(({ name }) =>
    contentsOf(name),
  );

  it('keeps configuration apart from what is overwritten', () => {
    const entries = tarballEntries(small, '1.2.3');
    expect(entries.filter(({ path }) => path.startsWith('root/etc/'))).toEqual([]);
    const list = entries.find(({ path }) => path.endsWith('/conf.list')) as { text: string };
    expect(list.text.trim().split('\n').sort()).toEqual(small.flatMap(({ conffiles }) => conffiles).sort());
    const twice = entries.map(({ path }) => path).filter((path, at, all) => all.indexOf(path) !== at);
    expect(twice).toEqual([]);
  });

  it.each(['install', 'uninstall', 'units'])('has a %s that a shell can read', name => {
    execFileSync('sh', ['-n', join(ROOT, 'deploy', 'packages', 'files', name)]);
  });
});
