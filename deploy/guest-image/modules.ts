import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { must } from '@folsom/core';
import { run } from '@folsom/host';

/** Drivers that the guest needs; everything else of the cloud kernel is built in. */
const WANTED = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_rng',
  'virtio_balloon',
  'button',
  'evdev',
  'isofs',
  'vfat',
  'nls_iso8859-1',
  'nls_cp437',
  'nls_ascii',
];

export interface KernelModule {
  /** File name without compression, `virtio_net.ko`. */
  name: string;
  data: Buffer;
}

/** The modules wanted and what they stand on, in an order in which they can be loaded. */
export async function kernelModules(directory: string, scratch: string): Promise<KernelModule[]> {
  const files = new Map<string, string>();
  for (const entry of await readdir(directory, { recursive: true })) {
    const match = /^(.+)\.ko(\.xz|\.gz|\.zst)?$/.exec(basename(entry));
    if (match !== null)
      files.set(must(match[1], 'the pattern has group 1').replaceAll('-', '_'), join(directory, entry));
  }
  const loaded = new Map<string, KernelModule>();
  const load = async (name: string): Promise<void> => {
    const key = name.replaceAll('-', '_');
    const path = files.get(key);
    if (path === undefined || loaded.has(key)) return; // built in, or here already
    const data = await plainModule(path);
    for (const needed of dependencies(data)) await load(needed);
    loaded.set(key, { name: `${key}.ko`, data: await stripped(data, join(scratch, `${key}.ko`)) });
  };
  for (const name of WANTED) await load(name);
  return [...loaded.values()];
}

/** `depends=a,b` as every module carries it. */
function dependencies(data: Buffer): string[] {
  const at = data.indexOf('\0depends=');
  if (at < 0) return [];
  const end = data.indexOf(0, at + 1);
  const text = data.subarray(at + '\0depends='.length, end).toString('latin1');
  return text === '' ? [] : text.split(',');
}

async function plainModule(path: string): Promise<Buffer> {
  const programs: Record<string, string> = { '.xz': 'xz', '.gz': 'gzip', '.zst': 'zstd' };
  const suffix = /\.ko(\.\w+)$/.exec(path)?.[1];
  if (suffix === undefined) return readFile(path);
  const copy = path.slice(0, -suffix.length);
  await run([must(programs[suffix], 'suffix is in programs'), '-dkf', path], { timeoutMs: 30_000 });
  return readFile(copy);
}

/** Without debugging symbols where the host can remove them. */
async function stripped(data: Buffer, path: string): Promise<Buffer> {
  await writeFile(path, data);
  await run(['strip', '--strip-debug', path], { timeoutMs: 30_000 }).catch(() => {});
  return readFile(path);
}
