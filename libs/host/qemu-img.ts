import { HOST_ENV, run } from './run.ts';

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

/** A writable disk on top of a base that stays as it is. Both formats are given, never guessed. */
export async function createOverlay(options: {
  path: string;
  base: string;
  baseFormat: 'raw' | 'qcow2';
  /** Bytes the guest sees; absent: those of the base. */
  size?: number;
}): Promise<void> {
  const settings = `backing_file=${options.base.replaceAll(',', ',,')},backing_fmt=${options.baseFormat},compat=0.10`;
  const size = options.size === undefined ? [] : [String(options.size)];
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', settings, options.path, ...size], quick);
}

/** An empty disk. */
export async function createDisk(path: string, format: 'raw' | 'qcow2', size: number): Promise<void> {
  await run(['qemu-img', 'create', '-q', '-f', format, path, String(size)], quick);
}

/** Size and base of a disk whose format is known; also of one that a guest has open. */
export async function diskFacts(
  path: string,
  format: 'raw' | 'qcow2',
): Promise<{ virtualSize: number; backingFile: string | undefined }> {
  const { stdout } = await run(['qemu-img', 'info', '-U', '--output=json', '-f', format, path], quick);
  const facts = JSON.parse(stdout) as { 'virtual-size': number; 'backing-filename'?: string };
  return { virtualSize: facts['virtual-size'], backingFile: facts['backing-filename'] };
}

/** Makes a disk larger. */
export async function growDisk(path: string, format: 'raw' | 'qcow2', size: number): Promise<void> {
  await run(['qemu-img', 'resize', '-q', '-f', format, path, String(size)], quick);
}

/**
 * Copies a disk with all it stands on into one file. `maxBytes` bounds what may be written; `shared` allows a source
 * that a (paused) guest has open.
 */
export async function convertDisk(options: {
  from: string;
  fromFormat: string;
  to: string;
  toFormat: 'raw' | 'qcow2';
  maxBytes?: number;
  shared?: boolean;
  compress?: boolean;
  signal?: AbortSignal;
}): Promise<void> {
  await run(
    [
      'qemu-img',
      'convert',
      ...(options.shared ? ['-U'] : []),
      ...(options.compress ? ['-c'] : []),
      '-f',
      options.fromFormat,
      '-O',
      options.toFormat,
      options.from,
      options.to,
    ],
    {
      ...lean,
      timeoutMs: IMAGE_TOOL_LIMITS.copyMs,
      cpuSeconds: IMAGE_TOOL_LIMITS.copyCpuSeconds,
      ...(options.maxBytes === undefined ? {} : { fileBytes: options.maxBytes }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
}

/** Makes a filesystem as large as the file it lies in; false when it cannot be done. */
export async function growExtFilesystem(path: string): Promise<boolean> {
  const limits = { ...quick, cpuSeconds: 60, timeoutMs: 120_000, allowedCodes: 'any' as const };
  const checked = await run(['e2fsck', '-fp', path], limits);
  if (checked.code > 1) return false;
  return (await run(['resize2fs', path], limits)).code === 0;
}

/** An empty filesystem or swap area in a file. */
export async function formatFile(
  path: string,
  kind: 'ext3' | 'ext4' | 'vfat' | 'swap',
  label: string,
): Promise<void> {
  const argv =
    kind === 'swap'
      ? ['mkswap', path]
      : kind === 'vfat'
        ? ['mkfs.vfat', '-n', label.toUpperCase().slice(0, 11), path]
        : [`mkfs.${kind}`, '-q', '-F', '-L', label.slice(0, 16), path];
  await run(argv, { ...quick, timeoutMs: 120_000, cpuSeconds: 60 });
}
