import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostRunner } from '@folsom/host/runner';
import { COMMON, type Package } from './catalogue.ts';
import { type Contents, contentsOf, PREFIX } from './layout.ts';
import { putEntries } from './put.ts';

const BUILD_MS = 600_000;
const OUTPUT_BYTES = 4 * 1024 * 1024;
const KIB = 1024;
/** Debian's names of processors. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface BuildOptions {
  version: string;
  /** Where staged trees lie meanwhile. */
  scratch: string;
  /** Where the packages go. */
  out: string;
  /** Seconds since 1970 that files get at most, so that the same tree gives the same bytes. */
  epoch: string;
}

/** Builds one Debian package with dpkg-deb; resolves to its path. */
export async function buildPackage(name: string, options: BuildOptions): Promise<string> {
  const contents = contentsOf(name);
  const tree = join(options.scratch, name);
  putEntries(tree, contents.entries);
  const control = join(tree, 'DEBIAN');
  mkdirSync(control, { mode: 0o755 });
  writeFileSync(join(control, 'control'), controlText(contents, options.version, sizeOf(tree, contents)));
  writeFileSync(join(control, 'md5sums'), sums(tree, contents));
  if (contents.conffiles.length > 0)
    writeFileSync(join(control, 'conffiles'), `${contents.conffiles.join('\n')}\n`);
  for (const [script, text] of Object.entries(maintainerScripts(contents.package))) {
    writeFileSync(join(control, script), text);
    chmodSync(join(control, script), 0o755);
  }
  const file = join(options.out, `${name}_${options.version}_${architectureOf(contents.package)}.deb`);
  await hostRunner(['dpkg-deb', '--root-owner-group', '-Zgzip', '-z6', '--build', tree, file], {
    timeoutMs: BUILD_MS,
    maxOutputBytes: OUTPUT_BYTES,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SOURCE_DATE_EPOCH: options.epoch },
  });
  return file;
}

/** Node and the compiled libraries are for one kind of processor; all else is text. */
export function architectureOf(wanted: Package): string {
  if (wanted !== COMMON) return 'all';
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`no packages for ${process.arch}`);
  return architecture;
}

function controlText({ package: wanted }: Contents, version: string, kib: number): string {
  const { name, summary, description, depends, recommends = [], conflicts = [] } = wanted;
  const own = wanted === COMMON ? [] : [`folsom-common (= ${version})`];
  const needs = depends.map(other => (other.startsWith('folsom') ? `${other} (= ${version})` : other));
  const lines = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architectureOf(wanted)}`,
    'Maintainer: The Folsom project <folsom@localhost>',
    `Installed-Size: ${kib}`,
    `Depends: ${[...own, ...needs].join(', ')}`,
    ...(recommends.length > 0 ? [`Recommends: ${recommends.join(', ')}`] : []),
    ...(conflicts.length > 0
      ? [`Conflicts: ${conflicts.join(', ')}`, `Replaces: ${conflicts.join(', ')}`]
      : []),
    'Section: net',
    'Priority: optional',
    `Description: Folsom: ${summary}`,
    ` ${description}`,
  ];
  return `${lines.join('\n')}\n`;
}

const sizeOf = (tree: string, { entries }: Contents): number =>
  entries
    .filter(entry => !('link' in entry))
    .reduce((sum, { path }) => sum + Math.ceil(statSync(join(tree, path)).size / KIB), 0);

/** For `dpkg --verify`: every file but those that are the operator's. */
function sums(tree: string, { entries, conffiles }: Contents): string {
  return entries
    .filter(entry => !('link' in entry) && !conffiles.includes(`/${entry.path}`))
    .map(({ path }) => {
      const sum = createHash('md5')
        .update(readFileSync(join(tree, path)))
        .digest('hex');
      return `${sum}  ${path}\n`;
    })
    .join('');
}

const script = (...parts: string[]): string => `#!/bin/sh\nset -e\n${parts.join('')}exit 0\n`;
const when = (actions: string, ...lines: string[]): string =>
  `case "$1" in\n${actions})\n${lines.map(line => `  ${line}\n`).join('')}  ;;\nesac\n`;

/** What dpkg runs around installation, upgrade and removal. Nothing is enabled or started that did not run. */
function maintainerScripts(wanted: Package): Record<string, string> {
  const { name, user, folders = [], units, conf } = wanted;
  const units_ = `${PREFIX}/share/units`;
  if (wanted === COMMON) {
    return {
      // Services do not run on a tree that is changed below them.
      prerm: script(when('upgrade', `${units_} pause`)),
      postinst: script(when('configure|abort-upgrade|abort-remove', `${units_} resume`)),
      // Compiled code lies there; dpkg leaves folders that are not empty.
      postrm: script(
        when(
          'remove|purge|disappear',
          `rm -rf ${PREFIX}/node_modules/.cache`,
          `rmdir --ignore-fail-on-non-empty ${PREFIX}/node_modules ${PREFIX} 2>/dev/null || true`,
        ),
      ),
    };
  }
  const readable = conf
    .filter(entry => user !== undefined && !('mode' in entry && entry.mode !== undefined))
    .map(({ path }) => path);
  const configure = [
    ...(user ? [`systemd-sysusers /usr/lib/sysusers.d/${name}.conf`] : []),
    ...(folders.length > 0 ? [`systemd-tmpfiles --create /usr/lib/tmpfiles.d/${name}.conf`] : []),
    ...readable.map(path => `if [ -e ${path} ]; then chgrp ${user?.name} ${path}; fi`),
    'if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi',
  ];
  const purge = [
    ...(user ? [`rm -rf /var/log/${user.name} /var/cache/${user.name}`] : []),
    // What a cloud keeps there (databases, images, disks of guests) is not the package's.
    ...folders
      .map(([path]) => path)
      .filter(path => path.startsWith('/var/lib/') || path.startsWith('/srv/'))
      .sort()
      .reverse()
      .map(path => `rmdir --ignore-fail-on-non-empty ${path} 2>/dev/null || true`),
  ];
  return {
    postinst: script(when('configure|abort-upgrade|abort-remove', ...configure)),
    prerm: script(when('remove', `${units_} remove ${units.join(' ')}`)),
    postrm: script(
      'if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi\n',
      when('purge', ...purge, ':'),
    ),
  };
}
