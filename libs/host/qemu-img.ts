import { open, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { type ConfinedFile, runConfined, touchFile } from './confined.ts';
import { emptyOverlay } from './formats/qcow2-overlay.ts';
import { HOST_ENV } from './run.ts';

/** Image tools get no more than this, whatever the image says (they read bytes that guests wrote). */
export const IMAGE_TOOL_LIMITS = {
  memoryBytes: 1024 ** 3,
  quickCpuSeconds: 10,
  copyCpuSeconds: 1200,
  quickMs: 30_000,
  copyMs: 1_800_000,
} as const;

/**
 * qemu-img starts up to 64 threads where disks are slow. Each reserves a stack and perhaps an arena of addresses, which
 * with usual sizes is more than the whole limit: it then dies now and then for no fault of the image.
 */
const lean = {
  memoryBytes: IMAGE_TOOL_LIMITS.memoryBytes,
  stackBytes: 1024 ** 2,
  env: { ...HOST_ENV, MALLOC_ARENA_MAX: '2' },
};

const quick = {
  ...lean,
  timeoutMs: IMAGE_TOOL_LIMITS.quickMs,
  cpuSeconds: IMAGE_TOOL_LIMITS.quickCpuSeconds,
};

/** How a tool is told about a file: driver by driver, nothing in it ever probed or taken for an address. */
const node = (prefix: string, format: string, path: string): string =>
  `${prefix}driver=${format},${prefix}file.driver=file,${prefix}file.filename=${path.replaceAll(',', ',,')}`;

/** A writable disk on top of a base that stays as it is. Its format is written down, never guessed. */
export async function createOverlay(options: {
  path: string;
  base: string;
  baseFormat: 'raw' | 'qcow2';
  /** Bytes the guest sees; absent: those of the base. */
  size?: number;
}): Promise<void> {
  const { path, base, baseFormat } = options;
  const size = options.size ?? (await diskFacts(base, baseFormat)).virtualSize;
  await writeFile(path, emptyOverlay(size, base, baseFormat), { mode: 0o600, flag: 'wx' });
}

/** An empty disk. */
export async function createDisk(path: string, format: 'raw' | 'qcow2', size: number): Promise<void> {
  await touchFile(path);
  await runConfined(['qemu-img', 'create', '-q', '-f', format, path, String(size)], {
    ...quick,
    files: [{ path, write: true }],
  });
}

/** Size and base of a disk whose format is known; also of one that a guest has open. Reads its header only. */
export async function diskFacts(
  path: string,
  format: 'raw' | 'qcow2',
): Promise<{ virtualSize: number; backingFile: string | undefined }> {
  if (format === 'raw') return { virtualSize: (await stat(path)).size, backingFile: undefined };
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(QCOW2_HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, header.length, 0);
    if (bytesRead < header.length || header.toString('latin1', 0, 4) !== 'QFI\xfb') {
      throw new Error(`${path} is no qcow2 disk`);
    }
    const length = header.readUInt32BE(16);
    const at = Number(header.readBigUInt64BE(8));
    const name = Buffer.alloc(at === 0 ? 0 : Math.min(length, BACKING_NAME_BYTES_MAX));
    if (name.length > 0) await file.read(name, 0, name.length, at);
    return {
      virtualSize: Number(header.readBigUInt64BE(24)),
      backingFile: name.length === 0 ? undefined : name.toString('utf8'),
    };
  } finally {
    await file.close();
  }
}

const QCOW2_HEADER_BYTES = 72;
const BACKING_NAME_BYTES_MAX = 1023;

/** What the names of bases end with tells their format: it is never read from what others wrote. */
export const RAW_BASE = { suffix: '', format: 'raw' } as const;
/** An image as it was uploaded; it has been inspected and stands on nothing. */
export const UPLOADED_BASE = { suffix: '.qcow2', format: 'qcow2' } as const;

interface Base {
  path: string;
  format: 'raw' | 'qcow2';
}

/** The base of one of our overlays; always below the folder that bases are in. */
async function baseOf(path: string, format: string, basesIn: string | undefined): Promise<Base | undefined> {
  if (format !== 'qcow2' || basesIn === undefined) return undefined;
  const { backingFile } = await diskFacts(path, format);
  if (backingFile === undefined) return undefined;
  const base = isAbsolute(backingFile) ? resolve(backingFile) : resolve(dirname(path), backingFile);
  if (!base.startsWith(`${resolve(basesIn)}${sep}`))
    throw new Error(`${path} stands on a file from elsewhere`);
  const kept = base.endsWith(UPLOADED_BASE.suffix);
  return { path: base, format: kept ? UPLOADED_BASE.format : RAW_BASE.format };
}

/** Makes a disk larger. `basesIn` is the folder that its base must be in, where it may have one. */
export async function growDisk(
  path: string,
  format: 'raw' | 'qcow2',
  size: number,
  basesIn?: string,
): Promise<void> {
  if (format === 'raw') {
    // As the tool does it, which refuses to make a disk smaller by accident.
    if ((await stat(path)).size < size) await truncate(path, size);
    return;
  }
  const base = await baseOf(path, format, basesIn);
  await runConfined(['qemu-img', 'resize', '-q', '-f', format, path, String(size)], {
    ...quick,
    files: [{ path, write: true }, ...(base === undefined ? [] : [{ path: base.path }])],
  });
}

/**
 * Copies a disk with all it stands on into one file. `maxBytes` bounds what may be written; `shared` allows a source
 * that a (paused) guest has open. A base is followed only with `basesIn`, the folder it must be in: what a user
 * uploaded has none.
 */
export async function convertDisk(options: {
  from: string;
  fromFormat: string;
  to: string;
  toFormat: 'raw' | 'qcow2' | 'vmdk' | 'vdi';
  basesIn?: string;
  maxBytes?: number;
  shared?: boolean;
  compress?: boolean;
  signal?: AbortSignal;
}): Promise<void> {
  const { from, fromFormat, to } = options;
  const base = await baseOf(from, fromFormat, options.basesIn);
  const source = [node('', fromFormat, from)];
  if (base !== undefined) source.push(node('backing.', base.format, base.path));
  // Without this an image that names a base would make the tool look for it.
  if (base === undefined && fromFormat === 'qcow2') source.push('backing=');
  if (base?.format === 'qcow2') source.push('backing.backing=');
  await touchFile(to);
  const files: ConfinedFile[] = [{ path: from }, { path: to, write: true }];
  if (base !== undefined) files.push({ path: base.path });
  await runConfined(
    [
      ...['qemu-img', 'convert', '--image-opts'],
      ...(options.shared ? ['-U'] : []),
      ...(options.compress ? ['-c'] : []),
      ...['-O', options.toFormat, source.join(','), to],
    ],
    {
      ...lean,
      files,
      timeoutMs: IMAGE_TOOL_LIMITS.copyMs,
      cpuSeconds: IMAGE_TOOL_LIMITS.copyCpuSeconds,
      ...(options.maxBytes === undefined ? {} : { fileBytes: options.maxBytes }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
}

/** Makes a filesystem as large as the file it lies in; false when it cannot be done. */
export async function growExtFilesystem(path: string): Promise<boolean> {
  const limits = {
    ...quick,
    cpuSeconds: 60,
    timeoutMs: 120_000,
    allowedCodes: 'any' as const,
    files: [{ path, write: true }],
  };
  const checked = await runConfined(['e2fsck', '-fp', path], limits);
  if (checked.code > 1) return false;
  return (await runConfined(['resize2fs', path], limits)).code === 0;
}

/** An empty filesystem or swap area in a file. */
export async function formatFile(
  path: string,
  kind: 'ext2' | 'ext3' | 'ext4' | 'vfat' | 'swap',
  label: string,
): Promise<void> {
  const argv =
    kind === 'swap'
      ? ['mkswap', path]
      : kind === 'vfat'
        ? ['mkfs.vfat', '-n', label.toUpperCase().slice(0, 11), path]
        : [`mkfs.${kind}`, '-q', '-F', '-L', label.slice(0, 16), path];
  await runConfined(argv, { ...quick, timeoutMs: 120_000, cpuSeconds: 60, files: [{ path, write: true }] });
}

const PROGRAM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Formats a file with the command of an operator (`mkfs.ext3 -L %(fs_label)s -F %(target)s`), which goes through no shell.
 * An empty one leaves the file as it is. False where there is no such program.
 */
export async function formatFileWith(path: string, command: string, label: string): Promise<boolean> {
  const argv = command
    .split(/\s+/)
    .filter(word => word !== '')
    .map(word => word.replaceAll('%(fs_label)s', label).replaceAll('%(target)s', path));
  const [program = ''] = argv;
  if (program === '') return true;
  const places = program.includes('/') ? [program] : PROGRAM_FOLDERS.map(folder => join(folder, program));
  const found = await Promise.all(places.map(place => stat(place).catch(() => undefined)));
  if (found.every(file => file === undefined)) return false;
  await runConfined(argv, { ...quick, timeoutMs: 120_000, cpuSeconds: 60, files: [{ path, write: true }] });
  return true;
}
