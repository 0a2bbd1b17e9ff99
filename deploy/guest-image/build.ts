import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@folsom/core';
import { run } from '@folsom/host';
import { convertDisk } from '@folsom/host/qemu-img';
import { type RamdiskEntry, ramdisk } from './cpio.ts';
import { IMAGE_TIME_SECONDS, makeBootableDisk, makeFilesystem, ownTree } from './filesystem.ts';
import { type KernelModule, kernelModules } from './modules.ts';

/** A tiny cloud guest: three parts for direct boot, and one disk that boots by itself. Absolute paths. */
export interface GuestImage {
  kernel: string;
  ramdisk: string;
  rootFilesystem: string;
  disk: string;
}

export interface BuildOptions {
  /** Where the images go; what is there already from an earlier build is used as it is. */
  directory: string;
  log: Logger;
  /** Told what is being done, for people who wait. */
  progress?: (text: string) => void;
}

/** Changes whenever a build would give other bytes; an older build is made anew. */
const RECIPE = '5';
const PACKAGES = [
  'busybox-static',
  'dropbear-bin',
  'libtomcrypt1',
  'libtommath1',
  'libgmp10',
  'zlib1g',
  'libcrypt1',
  'libc6',
  'grub-pc-bin',
  'grub-common',
];
const LIBRARIES = [
  'libtomcrypt.so.1',
  'libtommath.so.1',
  'libgmp.so.10',
  'libz.so.1',
  'libcrypt.so.1',
  'libc.so.6',
];
const ROOT_MB = 24;
const DISK_ROOT_MB = 40;
const LABEL = 'cirros-rootfs';
const FILES = join(dirname(fileURLToPath(import.meta.url)), 'files');
const DOWNLOAD_MS = 300_000;

/** The first disk's, whatever else carries the same label: a rescued guest has its own disk as the second. */
const GRUB_CONFIG = `linux /boot/vmlinuz root=/dev/vda1 ro console=tty1 console=ttyS0 no_timer_check tsc=unstable 8250.nr_uarts=2 net.ifnames=0
initrd /boot/initrd.gz
boot
`;
const EARLY_CONFIG = `set root=(hd0,msdos1)
set prefix=(hd0,msdos1)/boot/grub
configfile (hd0,msdos1)/boot/grub/grub.cfg
`;

/**
 * Builds the guest from packages of the distribution this runs on (Debian or Ubuntu, as root). Needs apt-get,
 * dpkg-deb, e2fsprogs and qemu-img; takes some seconds once the packages are downloaded.
 */
export async function buildGuestImage(options: BuildOptions): Promise<GuestImage> {
  const { directory, progress = () => {} } = options;
  const image: GuestImage = {
    kernel: join(directory, 'vmlinuz'),
    ramdisk: join(directory, 'initrd'),
    rootFilesystem: join(directory, 'rootfs.ext4'),
    disk: join(directory, 'disk.qcow2'),
  };
  const stamp = join(directory, 'recipe');
  if ((await readFile(stamp, 'utf8').catch(() => '')) === RECIPE) return image;

  const work = join(directory, 'work');
  const packages = join(work, 'packages');
  await mkdir(packages, { recursive: true });
  await rm(stamp, { force: true });
  progress('downloading kernel, busybox and dropbear packages');
  await downloadPackages(packages);
  // Everything is made aside and moved into place at the end: nobody ever reads half an image, nor do two builds meet.
  const stage = await mkdtemp(join(work, 'build-'));
  try {
    await buildParts(stage, packages, image, progress);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  await writeFile(`${stamp}.new`, RECIPE);
  await rename(`${stamp}.new`, stamp);
  options.log.info('guest image built', { directory });
  return image;
}

async function buildParts(
  stage: string,
  packages: string,
  final: GuestImage,
  progress: (text: string) => void,
): Promise<void> {
  const image: GuestImage = {
    kernel: join(stage, 'vmlinuz'),
    ramdisk: join(stage, 'initrd'),
    rootFilesystem: join(stage, 'rootfs.ext4'),
    disk: join(stage, 'disk.qcow2'),
  };
  const work = stage;
  const unpacked = join(work, 'unpacked');
  await mkdir(unpacked);
  for (const name of (await readdir(packages)).filter(file => file.endsWith('.deb'))) {
    await run(['dpkg-deb', '-x', join(packages, name), unpacked], { timeoutMs: 60_000 });
  }

  progress('building the guest image');
  const boot = await readdir(join(unpacked, 'boot'));
  const kernelFile = boot.find(name => name.startsWith('vmlinuz-'));
  if (kernelFile === undefined) throw new Error('the kernel package holds no kernel');
  const version = kernelFile.slice('vmlinuz-'.length);
  await copyFile(join(unpacked, 'boot', kernelFile), image.kernel);
  const scratch = join(work, 'modules');
  await mkdir(scratch, { recursive: true });
  const moduleRoot = (await exists(join(unpacked, 'lib/modules'))) ? 'lib/modules' : 'usr/lib/modules';
  const modules = await kernelModules(join(unpacked, moduleRoot, version), scratch);
  const busybox = await firstOf(unpacked, ['bin/busybox', 'usr/bin/busybox']);
  await writeFile(image.ramdisk, await makeRamdisk(await readFile(busybox), modules));

  const root = join(work, 'root');
  await makeRoot(root, unpacked, busybox);
  await makeFilesystem(root, ROOT_MB, image.rootFilesystem, LABEL);
  await makeDisk({ root, work, unpacked, image });
  for (const part of ['kernel', 'ramdisk', 'rootFilesystem', 'disk'] as const) {
    await rename(image[part], final[part]);
  }
}

async function downloadPackages(directory: string): Promise<void> {
  const { stdout } = await run(['apt-cache', 'depends', kernelPackage()], { timeoutMs: 60_000 });
  const kernel = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (kernel === undefined) throw new Error('no cloud kernel package is known; run "apt-get update"');
  const present = await readdir(directory);
  const missing = [kernel, ...PACKAGES].filter(name => !present.some(file => file.startsWith(`${name}_`)));
  if (missing.length === 0) return;
  await run(['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', ...missing], {
    timeoutMs: DOWNLOAD_MS,
    cwd: directory,
  });
}

const kernelPackage = (): string => 'linux-image-cloud-amd64';

async function makeRamdisk(busybox: Buffer, modules: readonly KernelModule[]): Promise<Buffer> {
  const directories = ['.', 'bin', 'dev', 'proc', 'sys', 'newroot', 'lib', 'lib/modules'];
  const entries: RamdiskEntry[] = [
    ...directories.map((path): RamdiskEntry => ({ kind: 'directory', path })),
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    { kind: 'file', path: 'init', mode: 0o755, data: await readFile(join(FILES, 'initrd-init')) },
    {
      kind: 'file',
      path: 'lib/modules/order',
      mode: 0o644,
      data: Buffer.from(modules.map(module => `${module.name}\n`).join('')),
    },
    ...modules.map(
      (module): RamdiskEntry => ({
        kind: 'file',
        path: `lib/modules/${module.name}`,
        mode: 0o644,
        data: module.data,
      }),
    ),
  ];
  return ramdisk(entries, IMAGE_TIME_SECONDS);
}

const DIRECTORIES = [
  'bin',
  'sbin',
  'dev',
  'proc',
  'sys',
  'run',
  'tmp',
  'root',
  'mnt',
  'home/cirros',
  'lib64',
  'usr/bin',
  'usr/sbin',
  'lib/x86_64-linux-gnu',
  'var/log',
  'var/lib/cloud',
  'etc/init.d',
  'etc/udhcpc',
  'etc/dropbear',
  'etc/acpi/PWRF',
  'etc/network',
];

/** The root's files, from the packages and from `files/rootfs`. */
async function makeRoot(root: string, unpacked: string, busybox: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
  for (const path of DIRECTORIES) await mkdir(join(root, path), { recursive: true, mode: 0o755 });
  // On memory, or ifup would believe after a reboot that the card is configured.
  await symlink('../run', join(root, 'var/run'));
  await copyFile(busybox, join(root, 'bin/busybox'));
  const { stdout } = await run([busybox, '--list'], { timeoutMs: 10_000 });
  for (const applet of stdout.split('\n').filter(name => name !== '' && name !== 'busybox')) {
    await symlink('busybox', join(root, 'bin', applet));
  }
  for (const applet of ['init', 'getty', 'ifup', 'ifdown', 'udhcpc', 'halt', 'poweroff', 'reboot', 'acpid']) {
    await symlink('../bin/busybox', join(root, 'sbin', applet));
  }
  await copyFile(await firstOf(unpacked, ['usr/sbin/dropbear']), join(root, 'usr/sbin/dropbear'));
  for (const name of ['dropbearkey', 'dbclient']) {
    await copyFile(await firstOf(unpacked, [`usr/bin/${name}`]), join(root, 'usr/bin', name));
  }
  await symlink('dbclient', join(root, 'usr/bin/ssh'));
  for (const library of LIBRARIES) {
    const from = await firstOf(unpacked, [
      `lib/x86_64-linux-gnu/${library}`,
      `usr/lib/x86_64-linux-gnu/${library}`,
    ]);
    const to = join(root, 'lib/x86_64-linux-gnu', library);
    await copyFile(await realpath(from), to);
    await chmod(to, 0o755);
    await run(['strip', '--strip-unneeded', to], { timeoutMs: 30_000 }).catch(() => {});
  }
  const loader = await firstOf(unpacked, [
    'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    'lib64/ld-linux-x86-64.so.2',
  ]);
  await copyFile(await realpath(loader), join(root, 'lib64/ld-linux-x86-64.so.2'));
  await chmod(join(root, 'lib64/ld-linux-x86-64.so.2'), 0o755);
  await cp(join(FILES, 'rootfs'), root, { recursive: true });
  const modes: Record<string, number> = {
    'etc/init.d/rcS': 0o755,
    'etc/init.d/rcK': 0o755,
    'etc/udhcpc/default.script': 0o755,
    'etc/acpi/PWRF/00000080': 0o755,
    'usr/sbin/cloud-init-tiny': 0o755,
    'etc/shadow': 0o600,
    root: 0o700,
    tmp: 0o1777,
  };
  for (const [path, mode] of Object.entries(modes)) await chmod(join(root, path), mode);
  await ownTree(root);
}

async function makeDisk(options: {
  root: string;
  work: string;
  unpacked: string;
  image: GuestImage;
}): Promise<void> {
  const { root, work, unpacked, image } = options;
  await mkdir(join(root, 'boot/grub'), { recursive: true });
  await copyFile(image.kernel, join(root, 'boot/vmlinuz'));
  await copyFile(image.ramdisk, join(root, 'boot/initrd.gz'));
  await writeFile(join(root, 'boot/grub/grub.cfg'), GRUB_CONFIG);
  const partition = join(work, 'partition');
  await makeFilesystem(root, DISK_ROOT_MB, partition, LABEL);
  const grub = join(unpacked, 'usr/lib/grub/i386-pc');
  const early = join(work, 'early.cfg');
  const core = join(work, 'core.img');
  await writeFile(early, EARLY_CONFIG);
  await run(
    [
      join(unpacked, 'usr/bin/grub-mkimage'),
      '-O',
      'i386-pc',
      '-d',
      grub,
      '-p',
      '(hd0,msdos1)/boot/grub',
      '-c',
      early,
      '-o',
      core,
      'biosdisk',
      'part_msdos',
      'ext2',
      'linux',
      'normal',
      'configfile',
      'boot',
    ],
    { timeoutMs: 60_000 },
  );
  const raw = join(work, 'disk.raw');
  await makeBootableDisk({
    bootCode: await readFile(join(grub, 'boot.img')),
    loader: await readFile(core),
    partition: await readFile(partition),
    file: raw,
  });
  await rm(image.disk, { force: true });
  await convertDisk({ from: raw, fromFormat: 'raw', to: image.disk, toFormat: 'qcow2', compress: true });
  for (const file of [raw, partition, core, early]) await rm(file, { force: true });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function firstOf(root: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) if (await exists(join(root, path))) return join(root, path);
  throw new Error(`no package holds ${basename(paths[0] ?? '')}`);
}
