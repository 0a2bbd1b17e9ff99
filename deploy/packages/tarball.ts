import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostRunner } from '@folsom/host/runner';
import { ALL_PACKAGES } from './catalogue.ts';
import type { BuildOptions } from './debian.ts';
import { type Contents, contentsOf } from './layout.ts';
import { putEntries } from './put.ts';
import type { TreeEntry } from './tree.ts';

const TAR_MS = 600_000;
const FILES = fileURLToPath(new URL('files', import.meta.url));

/** Builds the archive for machines without dpkg: everything of every package, `install` and `uninstall`; resolves to its path. */
export async function buildTarball(options: BuildOptions): Promise<string> {
  const name = `folsom-${options.version}-linux-${process.arch}`;
  const folder = join(options.scratch, name);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  putEntries(
    folder,
    tarballEntries(
      ALL_PACKAGES.map(known => contentsOf(known.name)),
      options.version,
    ),
  );
  const file = join(options.out, `${name}.tar.gz`);
  const tar = [
    'tar',
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    `--mtime=@${options.epoch}`,
  ];
  await hostRunner([...tar, '-C', dirname(folder), '-czf', file, name], { timeoutMs: TAR_MS });
  rmSync(folder, { recursive: true });
  return file;
}

/** `root/` as it lies on the machine, `conf/` for what is copied only where there is nothing, and lists of both. */
export function tarballEntries(all: readonly Contents[], version: string): TreeEntry[] {
  const conffiles = new Set(all.flatMap(contents => contents.conffiles));
  const files = all.flatMap(({ entries }) => entries);
  const plain = files.filter(({ path }) => !conffiles.has(`/${path}`));
  const readers = all.flatMap(({ package: { user, conf } }) =>
    user
      ? conf.filter(entry => !('mode' in entry && entry.mode)).map(({ path }) => `${user.name} ${path}\n`)
      : [],
  );
  const list = (paths: readonly string[]) => `${[...paths].sort().join('\n')}\n`;
  return [
    ...plain.map(entry => ({ ...entry, path: `root/${entry.path}` })),
    ...files
      .filter(({ path }) => conffiles.has(`/${path}`))
      .map(entry => ({ ...entry, path: `conf/${entry.path}` })),
    // Read by the installer, and by the next one: what is no longer there is removed.
    {
      path: 'root/opt/folsom/share/files.list',
      text: list(plain.map(({ path }) => `/${path}`)),
      mode: 0o644,
    },
    { path: 'root/opt/folsom/share/conf.list', text: list([...conffiles]), mode: 0o644 },
    { path: 'root/opt/folsom/share/readers.list', text: readers.join(''), mode: 0o644 },
    { path: 'root/opt/folsom/share/version', text: `${version}\n`, mode: 0o644 },
    { path: 'root/opt/folsom/uninstall', from: join(FILES, 'uninstall'), mode: 0o755 },
    { path: 'install', from: join(FILES, 'install'), mode: 0o755 },
    { path: 'uninstall', from: join(FILES, 'uninstall'), mode: 0o755 },
  ];
}
