import { mkdir, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '@folsom/host';
import { convertDisk, growDisk } from '@folsom/host/qemu-img';
import type { Guest } from '../../driver.ts';
import { wholeBlocks } from './disk-rules.ts';
import { GIGABYTE, readDiskInfo } from './guest-files.ts';

/** Puts a guest's folder aside for a resize and gives the new one its disks back. Repeating it changes nothing. */
export async function setAside(folder: string): Promise<string> {
  const aside = `${folder}_resize`;
  const exists = await stat(aside).catch(() => undefined);
  if (exists === undefined) await rename(folder, aside);
  return aside;
}

/** What was set aside is the guest's folder again. */
export async function putBack(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rename(`${folder}_resize`, folder);
}

/** Disks made before they all ended on whole blocks do so from their next move on. */
async function padRawDisks(folder: string): Promise<void> {
  for (const [name, { format }] of Object.entries(await readDiskInfo(folder))) {
    if (format !== 'raw') continue;
    const path = join(folder, name);
    const { size } = await stat(path);
    if (size !== wholeBlocks(size)) await truncate(path, wholeBlocks(size));
  }
}

const COPY_MS = 1_800_000;
const SEND_MS = 3_600_000;

/** Copies disks beside each other on this host, as they are: an overlay stays an overlay of the same base. */
export async function copyGuestFiles(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true, mode: 0o711 });
  await padRawDisks(from);
  for (const name of await readdir(from)) {
    if (name === 'console.log') continue;
    await run(['cp', '--sparse=always', '--reflink=auto', '--', join(from, name), join(to, name)], {
      timeoutMs: COPY_MS,
    });
  }
}

/**
 * The same to another host, over ssh as Folsom does. Overlays become whole disks on the way: the other host need not
 * have the image they stand on, and no disk of a guest ever gets among its images.
 */
export async function sendGuestFiles(
  from: string,
  to: string,
  destination: string,
  signal: AbortSignal,
): Promise<void> {
  if (!/^[\w.:-]+$/.test(destination) || destination.startsWith('-')) throw new Error('bad destination host');
  const ssh = ['ssh', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10'];
  const remotely = (...argv: string[]) => run([...ssh, destination, ...argv], { timeoutMs: 30_000, signal });
  const flat = `${from}_send`;
  try {
    await padRawDisks(from);
    await rm(flat, { recursive: true, force: true });
    await mkdir(flat, { mode: 0o711 });
    for (const [name, { format }] of Object.entries(await readDiskInfo(from))) {
      if (format !== 'qcow2') continue;
      const whole = { from: join(from, name), fromFormat: format, to: join(flat, name), toFormat: format };
      await convertDisk({ ...whole, basesIn: dirname(from), signal });
    }
    const converted = await readdir(flat);
    await remotely('mkdir', '-p', '-m', '0711', to);
    const rsync = ['rsync', '-S', '-r', '-p', '-e', ssh.join(' ')];
    const left = ['console.log', ...converted].flatMap(name => ['--exclude', `/${name}`]);
    const target = `${destination}:${to}/`;
    await run([...rsync, ...left, `${from}/`, target], { timeoutMs: SEND_MS, signal });
    await run([...rsync, `${flat}/`, target], { timeoutMs: SEND_MS, signal });
  } catch (error) {
    const undo = [...ssh, destination, 'rm', '-rf', '--', to];
    await run(undo, { timeoutMs: 60_000, allowedCodes: 'any' }).catch(() => {});
    throw error;
  } finally {
    await rm(flat, { recursive: true, force: true });
  }
}

export async function growRootDisk(folder: string, guest: Guest): Promise<void> {
  const info = await readDiskInfo(folder);
  const bytes = guest.flavor.root_gb * GIGABYTE;
  const root = info.disk;
  if (root === undefined || bytes === 0) return;
  await growDisk(join(folder, 'disk'), root.format, bytes, dirname(folder));
}
