import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createOverlay, diskFacts } from '@folsom/host/qemu-img';
import { run } from '@folsom/host/run';
import type { Guest, SpawnRequest } from '../../driver.ts';
import { type DiskRules, wholeBlocks } from './disk-rules.ts';
import type { DomainDisk } from './disk-xml.ts';
import type { CachedBase, ImageCache } from './image-cache.ts';
import { filesFor, type Injection, withInjectedFiles } from './injection.ts';

import { volumeTarget } from './volumes/host-volumes.ts';

export const GIGABYTE = 1024 ** 3;
/** Copying a disk takes as long as its bytes do. */
const COPY_MS = 6 * 3_600_000;

/** The folder of a guest: disk, disk.local, disk.swap, kernel, ramdisk, console.log, libvirt.xml. */
export const guestFolder = (instancesPath: string, guest: { name: string }): string =>
  join(instancesPath, guest.name);

/** Formats of a guest's disks as we made them. They are read from here, never from the disks, whose bytes are the guest's. */
export interface DiskInfo {
  [file: string]: { format: 'raw' | 'qcow2'; target: string; device?: 'cdrom' };
}
const DISK_INFO = 'disk.info';

export async function readDiskInfo(folder: string): Promise<DiskInfo> {
  const text = await readFile(join(folder, DISK_INFO), 'utf8').catch(() => '{}');
  return JSON.parse(text) as DiskInfo;
}

export const writeDiskInfo = (folder: string, info: DiskInfo): Promise<void> =>
  writeFile(join(folder, DISK_INFO), JSON.stringify(info), { mode: 0o600 });

export interface GuestDisks {
  disks: DomainDisk[];
  kernel?: { kernel: string; ramdisk: string | null };
}

/** What the first disk of every guest is called. */
export const rootTarget = (prefix: string): string => `${prefix}a`;

/** What a guest calls a disk of its folder. The config drive has the last name there is and never meets another's. */
export function diskTarget(guest: Guest, name: string, prefix: string): string {
  if (name === 'disk.config') return `${prefix}z`;
  if (name === 'disk.local') return `${prefix}b`;
  if (name === 'disk.swap') return prefix + (guest.flavor.ephemeral_gb > 0 ? 'c' : 'b');
  return rootTarget(prefix);
}

/** The flavor's disks by the names that block device mappings have for them. */
const VIRTUAL: Readonly<Record<string, string>> = { 'disk.local': 'ephemeral0', 'disk.swap': 'swap' };

/** What an ISO image is to its guest: programs on a CD look for it where CDs are. */
const CDROM = { target: 'hda', device: 'cdrom' } as const;

/** Where a guest's files are made, of what and how. */
export interface Making {
  folder: string;
  cache: ImageCache;
  rules: DiskRules;
  injection: Injection;
  /** `.rescue` for those of a rescue system. */
  suffix?: string;
  configDrive?: Buffer | null;
}

/** Makes all files of a guest. Called again after a failure it starts from nothing. */
export async function makeGuestFiles(request: SpawnRequest, making: Making): Promise<GuestDisks> {
  const { guest } = request;
  const { folder, cache, rules, suffix = '', configDrive = null } = making;
  // The guest's process must get through to its disks; nobody may list the folder, and the disks are its alone.
  await mkdir(folder, { recursive: true, mode: 0o711 });
  await chmod(folder, 0o711);
  const boot = bootFiles(request, folder, cache, suffix);
  boot.catch(() => {}); // awaited below, after what goes on beside it
  // Where a volume takes a disk's place there is none to make.
  const taken = new Set(request.volumes.map(volume => volumeTarget(volume.mountDevice, rules.prefix)));
  const targetOf = (name: string): string => {
    const device = request.virtualDevices?.get(VIRTUAL[name] ?? '');
    return device === undefined ? diskTarget(guest, name, rules.prefix) : volumeTarget(device, rules.prefix);
  };
  const disks: DomainDisk[] = [];
  const info: DiskInfo = suffix === '' ? {} : await readDiskInfo(folder);
  const add = (name: string, kind: 'raw' | 'qcow2', cdrom = false) => {
    const as = cdrom ? CDROM : { target: targetOf(name) };
    disks.push({ source: join(folder, name), kind: 'file', format: kind, ...as });
    info[name] = { format: kind, ...as };
  };
  if (!taken.has(rootTarget(rules.prefix)) || suffix !== '') {
    const format = await makeRootDisk(request, join(folder, `disk${suffix}`), making);
    add(`disk${suffix}`, format, request.image.disk_format === 'iso');
  }
  if (suffix === '') {
    for (const { name, kind, sizeMb } of flavorDisks(guest)) {
      if (taken.has(targetOf(name))) continue;
      const path = join(folder, name);
      await rm(path, { force: true });
      const blank = kind === 'swap' ? kind : { mkfs: rules.ephemeral(guest.os_type) };
      const base = { path: await cache.blank(blank, sizeMb), format: 'raw' as const };
      add(name, await diskOver(base, path, sizeMb * 1024 ** 2, rules));
    }
  }
  if (configDrive !== null) {
    const path = join(folder, 'disk.config');
    await rm(path, { force: true });
    await writeFile(path, configDrive, { mode: 0o600 });
    await truncate(path, wholeBlocks(configDrive.length));
    add('disk.config', 'raw');
  }
  await writeDiskInfo(folder, info);
  const kernel = await boot;
  return kernel === undefined ? { disks } : { disks, kernel };
}

/** The disk that the image is on. Where something is written into it, it is a copy. */
async function makeRootDisk(
  request: SpawnRequest,
  disk: string,
  { cache, rules, injection }: Making,
): Promise<'raw' | 'qcow2'> {
  const { guest, image, context, signal } = request;
  const rootBytes = guest.flavor.root_gb * GIGABYTE;
  const files = await filesFor(request, injection);
  const base = await cache.root(context, image, rootBytes, signal, rules.asUploaded && files.length === 0);
  await rm(disk, { force: true });
  const size = Math.max(rootBytes, base.size);
  if (base.format === 'qcow2') return diskOver(base, disk, size, rules);
  const path = rootBytes > 0 ? await cache.grown(base.path, image, rootBytes) : base.path;
  if (await withInjectedFiles(files, injection, path, disk, size)) return 'raw';
  return diskOver({ path, format: 'raw' }, disk, size, rules);
}

/** A disk that begins as a cached one is. */
async function diskOver(
  base: Pick<CachedBase, 'path' | 'format'>,
  path: string,
  size: number,
  { layered }: DiskRules,
): Promise<'raw' | 'qcow2'> {
  if (layered) {
    await createOverlay({ path, base: base.path, baseFormat: base.format, size });
    return 'qcow2';
  }
  // What is empty there is empty here, and takes no room.
  await run(['cp', '--reflink=auto', '--sparse=always', '--', base.path, path], { timeoutMs: COPY_MS });
  await chmod(path, 0o600);
  await truncate(path, wholeBlocks(size));
  return 'raw';
}

/** What a flavor gives besides. */
function flavorDisks({ flavor }: Guest): { name: string; kind: 'swap' | 'ephemeral'; sizeMb: number }[] {
  const { ephemeral_gb, swap } = flavor;
  return [
    ...(ephemeral_gb > 0
      ? [{ name: 'disk.local', kind: 'ephemeral' as const, sizeMb: ephemeral_gb * 1024 }]
      : []),
    ...(swap > 0 ? [{ name: 'disk.swap', kind: 'swap' as const, sizeMb: swap }] : []),
  ];
}

const real = (id: string | null | undefined): string | null => (id && id !== 'nokernel' ? id : null);

/** The guest's own copies of kernel and ramdisk, where its image needs them to boot. */
export async function bootFiles(
  request: Pick<SpawnRequest, 'context' | 'guest' | 'signal'>,
  folder: string,
  cache: ImageCache,
  suffix = '',
): Promise<GuestDisks['kernel']> {
  const kernelId = real(request.guest.kernel_id);
  if (kernelId === null) return undefined;
  const take = async (imageId: string, name: string): Promise<string> => {
    const path = join(folder, `${name}${suffix}`);
    await rm(path, { force: true });
    await copyFile(await cache.file(request.context, imageId, request.signal), path);
    await chmod(path, 0o444);
    return path;
  };
  const ramdiskId = real(request.guest.ramdisk_id);
  return {
    kernel: await take(kernelId, 'kernel'),
    ramdisk: ramdiskId === null ? null : await take(ramdiskId, 'ramdisk'),
  };
}

/** The files of a guest that was made earlier. */
export async function existingGuestFiles(folder: string, suffix = ''): Promise<GuestDisks> {
  const info = await readDiskInfo(folder);
  const wanted =
    suffix === '' ? Object.keys(info).filter(name => !name.endsWith('.rescue')) : [`disk${suffix}`, 'disk'];
  const disks = wanted.flatMap((name, index): DomainDisk[] => {
    const known = info[name];
    if (known === undefined) return [];
    const aside = suffix === '' ? known.target : `vd${String.fromCharCode(97 + index)}`;
    const as = known.device === 'cdrom' ? CDROM : { target: aside };
    return [{ source: join(folder, name), kind: 'file', format: known.format, ...as }];
  });
  const kernel = join(folder, `kernel${suffix}`);
  const ramdisk = join(folder, `ramdisk${suffix}`);
  const has = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (!(await has(kernel))) return { disks };
  return {
    disks,
    kernel: { kernel, ramdisk: (await has(ramdisk)) ? ramdisk : null },
  };
}

/** Names of the cached images on which disks of this host stand, whatever their instances are called today. */
export async function basesInUse(instancesPath: string, cacheFolder: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const entry of await readdir(instancesPath, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === cacheFolder) continue;
    const folder = join(instancesPath, entry.name);
    for (const [name, { format }] of Object.entries(await readDiskInfo(folder))) {
      if (format !== 'qcow2') continue;
      // A guest that goes at this moment takes its disk with it.
      const facts = await diskFacts(join(folder, name), format).catch(() => undefined);
      if (facts?.backingFile !== undefined) names.add(basename(facts.backingFile));
    }
  }
  return names;
}

/** An empty console log that survives reboots of the guest. */
export async function touchConsole(folder: string): Promise<string> {
  const path = join(folder, 'console.log');
  await (await open(path, 'a', 0o600)).close();
  return path;
}

/** The end of a file, without reading the rest. */
export async function tailOf(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - bytes);
    const buffer = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}
