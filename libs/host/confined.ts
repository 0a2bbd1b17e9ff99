import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type RunOptions, type RunResult, run } from './run.ts';

/** A file that a confined program may open, under its own (absolute) name. It must exist. */
export interface ConfinedFile {
  path: string;
  write?: boolean;
}

export interface ConfinedOptions extends RunOptions {
  files: readonly ConfinedFile[];
}

/**
 * How programs that read guests' bytes are kept in.
 * - `sealed`: their root holds nothing but /usr and their files; no network, processes or privileges (as `nobody`
 *   where we are root, as ourselves otherwise).
 * - `limited`: this host lets us make no namespaces, so there are only the limits of time, memory and size, and what
 *   the inspection of images keeps away.
 */
export type Confinement = { kind: 'sealed' } | { kind: 'limited'; reason: string };

const NOBODY = 65534;
const PROCESSES_MAX = 1024;
const isRoot = (): boolean => process.getuid?.() === 0;

/** The text is fixed and takes what varies as arguments: mounts everything of a table, then becomes the program. */
const MOUNT_AND_GO = 'mount -naT "$0" && exec "$@"';

let found: Promise<Confinement> | undefined;

/** Finds out once what this host allows. */
export function confinement(): Promise<Confinement> {
  found ??= sealed(['true'], { files: [], timeoutMs: 20_000 }).then(
    () => ({ kind: 'sealed' as const }),
    (error: Error) => ({ kind: 'limited' as const, reason: error.message }),
  );
  return found;
}

/**
 * Runs a program that reads bytes of guests: it can open nothing but `files` and the system's own programs.
 * @throws Fault `ProcessExecutionError`, as {@link run}
 */
export async function runConfined(argv: readonly string[], options: ConfinedOptions): Promise<RunResult> {
  return (await confinement()).kind === 'sealed' ? sealed(argv, options) : run(argv, options);
}

async function sealed(argv: readonly string[], options: ConfinedOptions): Promise<RunResult> {
  const { files, ...limits } = options;
  const scratch = await mkdtemp(join(tmpdir(), 'confined-'));
  try {
    const root = join(scratch, 'root');
    const table = join(scratch, 'fstab');
    const { links, mounts } = skeleton();
    const all = [...mounts, ...files.map(fileMount)];
    for (const { path, folder } of all) await mountPoint(join(root, path), folder);
    for (const [name, target] of links) await symlink(target, join(root, name));
    const line = (source: string, target: string, flags: string) =>
      `${field(source)} ${field(target)} none ${flags} 0 0\n`;
    const lines = all.map(({ path, flags }) => line(path, join(root, path), flags));
    await writeFile(table, [line(root, root, 'bind,ro,nosuid,nodev'), ...lines].join(''));
    const asUs = !isRoot();
    return await run(
      [
        ...['unshare', ...(asUs ? ['--user', '--map-root-user'] : [])],
        ...['--mount', '--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', '--'],
        ...['sh', '-c', MOUNT_AND_GO, table, 'chroot', root],
        ...['setpriv', ...(asUs ? NO_RIGHTS : AS_NOBODY), '--no-new-privs', '--pdeathsig', 'KILL', '--'],
        ...argv,
      ],
      { ...limits, shownAs: argv, ...(asUs ? {} : { processes: PROCESSES_MAX }) },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const NO_RIGHTS = ['--bounding-set=-all', '--inh-caps=-all'];
/**
 * Disks belong to root or to the hypervisor's user. Within a root that holds nothing else, being allowed to open them is
 * all that this capability is good for.
 */
const OPEN_ITS_FILES = '-all,+dac_override';
const AS_NOBODY = [
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  `--bounding-set=${OPEN_ITS_FILES}`,
  `--inh-caps=${OPEN_ITS_FILES}`,
  `--ambient-caps=${OPEN_ITS_FILES}`,
];

interface Mount {
  path: string;
  folder: boolean;
  flags: string;
}

const fileMount = ({ path, write = false }: ConfinedFile): Mount => ({
  path,
  folder: false,
  flags: `bind,${write ? 'rw' : 'ro'},nosuid,nodev,noexec`,
});

let bare: { links: [string, string][]; mounts: Mount[] } | undefined;

/** What every program needs to start: the system's programs and libraries, and a few files. */
function skeleton() {
  if (bare !== undefined) return bare;
  const links: [string, string][] = [];
  const mounts: Mount[] = [{ path: '/usr', folder: true, flags: 'rbind,ro,nosuid,nodev' }];
  for (const name of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const info = lstatSync(name, { throwIfNoEntry: false });
    if (info?.isSymbolicLink()) links.push([name, readlinkSync(name)]);
    else if (info !== undefined) mounts.push({ path: name, folder: true, flags: 'rbind,ro,nosuid,nodev' });
  }
  for (const path of ['/etc/ld.so.cache', '/etc/mke2fs.conf']) {
    if (existsSync(path)) mounts.push(fileMount({ path }));
  }
  mounts.push({ path: '/dev/null', folder: false, flags: 'bind,nosuid,noexec' });
  bare = { links, mounts };
  return bare;
}

async function mountPoint(path: string, folder: boolean): Promise<void> {
  await mkdir(folder ? path : dirname(path), { recursive: true, mode: 0o755 });
  if (!folder) await writeFile(path, '');
}

/** A field of a mount table: blanks and the like as octal numbers. */
const field = (path: string): string =>
  path.replace(/[\s\\#]/g, character => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);

/** Makes an empty file for a confined program to write, unless there is one. */
export async function touchFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined)
    await writeFile(path, '', { mode: 0o600, flag: 'wx' });
}
