import { mkdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Layout } from './layout.ts';
import { CannotStart } from './preflight.ts';
import { startOf } from './running.ts';

/**
 * Bridge, rules, DHCP server and guests carry Folsom's own names, which are the same for every cloud: a network namespace has one
 * owner. Who that is stands in a file named for the namespace, gone with the next boot like all that it stands for.
 */
const RUN_DIR = '/run/folsom';

interface Owner {
  /** State directory of the cloud. */
  dir: string;
  pid: number;
  /** Start time of the process: a pid alone may have been given to another program. */
  started: string;
}

/** The network namespace of a process, e.g. `net:[4026531840]`. */
export const networkNamespace = (pid: number | 'self' = 'self'): Promise<string | undefined> =>
  readlink(`/proc/${pid}/ns/net`).catch(() => undefined);

async function ownerFile(folder: string): Promise<string> {
  const inode = /\d+/.exec((await networkNamespace()) ?? '')?.[0] ?? 'unknown';
  return join(folder, `host-${inode}.json`);
}

async function readOwner(file: string): Promise<Owner | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}

const isAlive = async (owner: Owner): Promise<boolean> => (await startOf(owner.pid)) === owner.started;

/**
 * Makes this process's cloud the owner of the host's network. Answers with the state directory of the stopped cloud that was the
 * owner before, if it was another one.
 * @throws CannotStart when that one runs
 */
export async function takeHost(layout: Layout, folder = RUN_DIR): Promise<string | undefined> {
  const file = await ownerFile(folder);
  const before = await readOwner(file);
  if (before && before.dir !== layout.dir && (await isAlive(before))) {
    throw new CannotStart(
      `the network of this host belongs to the cloud in ${before.dir} (process ${before.pid}); ` +
        'stop that one, or start this one with --compute-driver fake',
    );
  }
  const owner: Owner = {
    dir: layout.dir,
    pid: process.pid,
    started: (await startOf(process.pid)) ?? '',
  };
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(`${file}.new`, JSON.stringify(owner), { mode: 0o644 });
  await rename(`${file}.new`, file);
  return before && before.dir !== layout.dir ? before.dir : undefined;
}

/**
 * Whether what stands on the host's network may be taken for this cloud's: nobody else has become its owner since. `namespace` is
 * where the cloud ran last, undefined for one that was started before that was noted.
 */
export async function ownsHost(
  layout: Layout,
  namespace: string | undefined,
  folder = RUN_DIR,
): Promise<boolean> {
  if (namespace !== undefined && namespace !== (await networkNamespace())) return false;
  const owner = await readOwner(await ownerFile(folder));
  return owner === undefined || owner.dir === layout.dir;
}

/** After everything of this cloud has been taken off the host. */
export async function leaveHost(layout: Layout, folder = RUN_DIR): Promise<void> {
  const file = await ownerFile(folder);
  if ((await readOwner(file))?.dir === layout.dir) await rm(file, { force: true });
}
