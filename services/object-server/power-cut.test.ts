import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host/run';
import { readMetadataAt, writeMetadata } from '@folsom/swift/object-metadata';
import { afterAll, expect, it } from 'vitest';
import { commit, discard, newFile } from './durable-file.ts';

const random = seededRandom(5);
const canMount = needs('root and loop devices', process.getuid?.() === 0 && existsSync('/dev/loop-control'));
const folder = mkdtempSync(join(tmpdir(), 'power-cut-'));
const mounted: string[] = [];
const quick = { timeoutMs: 30_000 };

afterAll(async () => {
  for (const at of mounted.reverse()) await run(['umount', '-l', at], { ...quick, allowedCodes: 'any' });
  rmSync(folder, { recursive: true, force: true });
});

async function mount(image: string, at: string): Promise<void> {
  mkdirSync(at);
  await run(['mount', '-o', 'loop', image, at], quick);
  mounted.push(at);
}

async function write(device: string, name: string, bytes: Buffer): Promise<void> {
  const file = newFile(device, random);
  try {
    writeSync(file.fd, bytes);
    writeMetadata(file.fd, { name });
    await commit(file, join(device, 'objects', name), {
      device,
      random,
      directoryThere: false,
      nameSaysAll: name.endsWith('.ts'),
    });
  } finally {
    discard(file);
  }
}

const FILES = 40;

it.skipIf(!canMount).each([
  ['ext4', ['mkfs.ext4', '-q', '-F']],
  ['ext4 without a journal', ['mkfs.ext4', '-q', '-F', '-O', '^has_journal']],
  ['XFS', ['mkfs.xfs', '-q']],
])(
  'what is acknowledged is there after a power cut: %s',
  async (kind, mkfs) => {
    const base = join(folder, kind.replaceAll(' ', '-'));
    const image = `${base}.img`;
    await run(['truncate', '-s', '320M', image], quick);
    await run([...mkfs, image], quick);
    await mount(image, base);
    const device = join(base, 'device');
    mkdirSync(join(device, 'tmp'), { recursive: true });
    await run(['sync', '-f', base], quick);
    const files = Array.from({ length: FILES }, (_, i) => ({
      name: `${i % 3}/${i % 11}/${i}/1.data`,
      bytes: Buffer.alloc(i % 4 ? 1000 + i : 300_000, `bytes ${i} `),
    }));
    for (let i = 0; i < 10; i++) files.push({ name: `${i % 3}/${i % 7}/t${i}/1.ts`, bytes: Buffer.alloc(0) });
    await Promise.all(files.map(({ name, bytes }) => write(device, name, bytes)));
    for (const file of files.slice(0, 5)) file.bytes = Buffer.alloc(700, file.name);
    await Promise.all(files.slice(0, 5).map(({ name, bytes }) => write(device, name, bytes)));
    // What the disk was given by now, and not a byte that only the kernel has.
    await run(['cp', '--sparse=always', image, `${base}-after.img`], quick);
    if (kind.includes('without'))
      await run(['fsck.ext4', '-fy', `${base}-after.img`], { ...quick, allowedCodes: 'any' });
    // Two file systems of one UUID are one to XFS.
    const after = `${base}-after`;
    mkdirSync(after);
    const options = kind === 'XFS' ? 'loop,nouuid' : 'loop';
    await run(['mount', '-o', options, `${after}.img`, after], quick);
    mounted.push(after);
    for (const { name, bytes } of files) {
      const path = join(after, 'device', 'objects', name);
      expect([name, readFileSync(path).equals(bytes)]).toEqual([name, true]);
      expect({ ...readMetadataAt(path) }).toEqual({ name });
    }
  },
  120_000,
);
