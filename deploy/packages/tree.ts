import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A file of an installation: where it goes, and what it is. */
export type TreeEntry = { path: string } & (
  | { from: string; mode: number }
  | { text: string; mode: number }
  | { link: string }
);

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  /** Names a peer even where `peerDependencies` does not. */
  peerDependenciesMeta?: Record<string, unknown>;
}

/** Folders of a workspace package that an installation has no use for. */
const NOT_INSTALLED =
  /^deploy\/(packages|systemd|containers|rootwrap\/rootwrap\.(d|conf)|bin\/generate\.mjs)/;
const TESTS = /\.test\.(ts|yml)$/;
/** What packages of others carry for their developers. */
const FOR_DEVELOPERS =
  /\.(d\.[cm]?ts|map|md|markdown)$|^(tests?|__tests__|docs?|benchmarks?|examples?|\.github)\//;
/** Sources that are compiled already, and binaries for other machines. */
const COMPILED: Record<string, RegExp> = {
  'better-sqlite3': /^(deps|src)\/|^prebuilds\/(?!linux-)|^binding\.gyp$/,
  koffi: /^src\/.*\.(?!c?js$)[^/]+$|^vendor\/|^cnoke\.cjs$/,
};

/**
 * Everything that runs, as paths below the place of installation: the workspace packages that `deploy` needs, without their tests, the
 * packages of others that these need, and Node. Sorted, and the same for the same tree.
 *
 * @param root the project's folder, with its packages installed
 */
export function programTree(root: string): TreeEntry[] {
  const entries = new Map<string, TreeEntry>();
  const add = (entry: TreeEntry) => entries.set(entry.path, entry);
  const seen = new Set<string>();
  const walk = (folder: string) => {
    if (seen.has(folder)) return;
    seen.add(folder);
    for (const entry of filesOf(root, folder)) add(entry);
    for (const { link, target } of dependenciesOf(folder)) {
      if (link.startsWith(`${root}/`)) add({ path: relative(root, link), link: readlinkSync(link) });
      walk(target);
    }
  };
  walk(join(root, 'deploy'));
  const node = realpathSync(join(root, 'node_modules', '.bin', 'node'));
  add({ path: 'node_modules/.bin/node', from: node, mode: 0o755 });
  for (const name of ['LICENSE', 'CHANGELOG.md']) add({ path: name, from: join(root, name), mode: 0o644 });
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where a package finds what it depends on: the link beside it or above it, and the package's own folder. */
function dependenciesOf(folder: string): { link: string; target: string }[] {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const optional = {
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies,
    ...manifest.peerDependenciesMeta,
  };
  const found: { link: string; target: string }[] = [];
  for (const name of Object.keys({ ...manifest.dependencies, ...optional }).sort()) {
    // Types are for the compiler alone.
    if (name.startsWith('@types/')) continue;
    const link = lookUp(folder, name);
    if (link !== undefined) found.push({ link, target: realpathSync(link) });
    else if (!(name in optional)) throw new Error(`${manifest.name} needs ${name}, which is not installed`);
  }
  return found;
}

function lookUp(folder: string, name: string): string | undefined {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    if (at.endsWith('/node_modules')) continue;
    const link = join(at, 'node_modules', name);
    if (existsSync(link)) return link;
  }
  return undefined;
}

function filesOf(root: string, folder: string): TreeEntry[] {
  const ours = !folder.includes('/node_modules/');
  const base = relative(root, folder);
  const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const left = (path: string) =>
    ours
      ? TESTS.test(path) || NOT_INSTALLED.test(`${base}/${path}`)
      : FOR_DEVELOPERS.test(path) || (COMPILED[name]?.test(path) ?? false);
  const entries: TreeEntry[] = [];
  const visit = (at: string) => {
    for (const entry of readdirSync(join(folder, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.name === 'node_modules') continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && !left(path)) {
        const executable = (lstatSync(join(folder, path)).mode & 0o100) !== 0;
        entries.push({ path: join(base, path), from: join(folder, path), mode: executable ? 0o755 : 0o644 });
      }
    }
  };
  visit('');
  return entries;
}
