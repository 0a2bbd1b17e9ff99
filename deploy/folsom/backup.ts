import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { checkSqliteFile, copySqliteFile } from '@folsom/db';
import { run } from '@folsom/host';
import type { Print } from './commands.ts';
import { guestsOf, withGuestsPaused } from './guests.ts';
import type { Layout } from './layout.ts';
import { CannotStart } from './preflight.ts';
import { readRunning } from './running.ts';

/** What a backup says of itself. */
interface Manifest {
  version: 1;
  /** ISO 8601. */
  madeAt: string;
  /** The state directory it was made of. */
  dir: string;
  /** Whether the disks of guests are in it. */
  disks: boolean;
}

const MANIFEST = 'backup.json';
/** A cloud of many terabytes takes its time; a program that stands still does not take for ever. */
const COPY_TIMEOUT_MS = 24 * 3600 * 1000;
/** Arguments of one program call. */
const BATCH = 500;

/** What belongs to a process or can be made again. */
const LEFT_OUT = new Set(['log', 'running.json', 'guest-image', 'swift/cache']);
const isDatabase = (name: string): boolean => /\.(sqlite|db)$/.test(name);
const besideDatabase = (name: string): boolean => /\.(sqlite|db)-(wal|shm|journal)$/.test(name);

/**
 * Copies databases, images, objects, keys and configuration of a cloud, which may go on running: files first, then the databases
 * as they stand at one moment, then the files that have come meanwhile, so that every row finds its file. Guests are paused for as
 * long as volumes are copied, and with `disks` their own disks: what one was writing is there whole, or not at all.
 */
export async function backup(
  layout: Layout,
  target: string,
  options: { disks: boolean; now: number },
  print: Print,
): Promise<number> {
  await stat(layout.secrets).catch(() => {
    throw new Error(`${layout.dir} is not the state directory of a cloud`);
  });
  if ((await readdir(target).catch(() => [])).length > 0) throw new Error(`${target} is not empty`);
  if (!relative(layout.dir, target).startsWith('..'))
    throw new Error(`${target} lies in the state directory itself`);
  await mkdir(target, { recursive: true, mode: 0o700 });
  const [instances, volumes] = [relative(layout.dir, layout.instances), relative(layout.dir, layout.volumes)];
  const chosen = (path: string) => !LEFT_OUT.has(path) && path !== instances && path !== volumes;
  const ofGuests = (below: string) => copyMissing(layout.dir, target, path => !LEFT_OUT.has(path), below);
  await copyMissing(layout.dir, target, path => chosen(path) && !path.endsWith('.new'));
  const guests = (await hasFiles(layout.volumes)) || options.disks ? await guestsOf(layout) : [];
  // One moment for both: a guest's own disk and its volumes know of each other.
  await withGuestsPaused(guests, async () => {
    if (options.disks) await ofGuests(instances);
    await ofGuests(volumes);
  });
  const databases = await filesBelow(layout.dir, path => chosen(path), isDatabase);
  for (const path of databases) {
    await mkdir(dirname(join(target, path)), { recursive: true, mode: 0o700 });
    await copyPending(join(layout.dir, `${path}.pending`), join(target, `${path}.pending`));
    await rm(join(target, path), { force: true });
    await copySqliteFile(join(layout.dir, path), join(target, path));
  }
  await copyMissing(layout.dir, target, path => chosen(path) && !path.endsWith('.new'));
  // Volumes that were made meanwhile.
  await ofGuests(volumes);
  const manifest: Manifest = {
    version: 1,
    madeAt: new Date(options.now).toISOString(),
    dir: layout.dir,
    disks: options.disks,
  };
  await writeFile(join(target, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  print(
    `${target} has the cloud as it stood at ${manifest.madeAt}: ${databases.length} databases, images, volumes, objects, keys`,
  );
  if (!options.disks) print('the disks of guests are not in it; --disks takes them, too');
  return 0;
}

/** Makes a state directory of a backup; `folsom up` starts it. */
export async function restore(source: string, layout: Layout, print: Print): Promise<number> {
  const manifest = JSON.parse(
    await readFile(join(source, MANIFEST), 'utf8').catch(() => {
      throw new Error(`${source} is no backup of a cloud: it has no ${MANIFEST}`);
    }),
  ) as Manifest;
  if (manifest.version !== 1) throw new Error(`${source} was made by a newer version`);
  if (await readRunning(layout)) throw new CannotStart(`the cloud in ${layout.dir} is running`);
  if ((await readdir(layout.dir).catch(() => [])).length > 0)
    throw new Error(`${layout.dir} is not empty; remove that cloud first with "folsom down --purge"`);
  if (manifest.disks && manifest.dir !== layout.dir)
    throw new Error(`disks of guests name their directory: restore into ${manifest.dir}`);
  const databases = await filesBelow(source, () => true, isDatabase);
  for (const path of databases) checkSqliteFile(join(source, path));
  await mkdir(layout.dir, { recursive: true, mode: 0o700 });
  await copyMissing(source, layout.dir, path => path !== MANIFEST, '', true);
  print(`${layout.dir} has the cloud as it stood at ${manifest.madeAt}; start it with "folsom up"`);
  return 0;
}

/** Copies what the target lacks, with owners, modes, times and extended attributes; files that go away meanwhile are no error. */
async function copyMissing(
  from: string,
  to: string,
  chosen: (path: string) => boolean,
  below = '',
  databases = false,
): Promise<void> {
  const missing: string[] = [];
  for (const path of await filesBelow(
    from,
    chosen,
    name => !besideDatabase(name) && (databases || !isDatabase(name)),
    below,
    true,
  ))
    if (!(await exists(join(to, path)))) missing.push(path);
  for (let at = 0; at < missing.length; at += BATCH) {
    const { code, stderr } = await run(
      ['cp', '-a', '--reflink=auto', '--parents', '-t', to, '--', ...missing.slice(at, at + BATCH)],
      { timeoutMs: COPY_TIMEOUT_MS, allowedCodes: [0, 1], cwd: from },
    );
    const grave = stderr.split('\n').filter(line => line !== '' && !/No such file or directory/.test(line));
    if (code !== 0 && grave.length > 0) throw new Error(`cannot copy: ${grave[0]}`);
  }
}

/**
 * The rows that a database of swift's has yet to take over, copied just before the database itself: what is taken over in between
 * stands in both, and counts once.
 */
async function copyPending(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  await copyFile(from, to).catch(error => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}

/**
 * Paths below a directory, relative to it, of files whose name is wanted; `chosen` also decides about directories. With `empty` also
 * those of directories that hold nothing: an empty bucket is one.
 */
async function filesBelow(
  root: string,
  chosen: (path: string) => boolean,
  wanted: (name: string) => boolean,
  below = '',
  empty = false,
): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch(error => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  if (empty && entries.length === 0 && below !== '') found.push(below);
  for (const entry of entries) {
    const path = join(below, entry.name);
    if (!chosen(path)) continue;
    if (entry.isDirectory()) found.push(...(await filesBelow(root, chosen, wanted, path, empty)));
    else if ((entry.isFile() || entry.isSymbolicLink()) && wanted(entry.name)) found.push(path);
  }
  return found;
}

const hasFiles = (directory: string): Promise<boolean> =>
  readdir(directory).then(
    names => names.length > 0,
    () => false,
  );

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
