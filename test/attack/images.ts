import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault, type Random, seededRandom } from '@folsom/core';
import { run } from '@folsom/host';
import { confinement } from '@folsom/host/confined';
import { HEADER_BYTES, imageEnds, readImageHeader, toolFormat } from '@folsom/host/image-format';
import { convertDisk } from '@folsom/host/qemu-img';
import { tempDir } from '@folsom/testing';
import type { Part } from './part.ts';

const MEGABYTE = 1024 ** 2;
/** Bytes of a file of the host that must never come out of an image tool. */
export const CANARY = `canary-${'0123456789abcdef'.repeat(4)}`;

/** Formats that the image tool writes, with the settings that make their headers differ. */
const MADE: readonly (readonly [format: string, settings: string])[] = [
  ['qcow2', 'compat=0.10'],
  ['qcow2', 'compat=1.1'],
  ['qcow', ''],
  ['qed', ''],
  ['vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'subformat=streamOptimized'],
  ['vdi', ''],
  ['vpc', 'subformat=dynamic'],
  ['vpc', 'subformat=fixed'],
  ['vhdx', ''],
  ['parallels', ''],
];

/** Everything that qemu-img would read a file as, if it were told to. */
const READ_AS = [
  'qcow2',
  'qcow',
  'qed',
  'vmdk',
  'vdi',
  'vpc',
  'vhdx',
  'parallels',
  'bochs',
  'cloop',
  'dmg',
  'luks',
];

interface Seed {
  format: string;
  bytes: Buffer;
}

/** Images that qemu made, whose headers are then changed. */
export async function seeds(folder: string): Promise<Seed[]> {
  const raw = join(folder, 'plain');
  await writeFile(raw, Buffer.alloc(MEGABYTE, 'guest data '));
  const made: Seed[] = [];
  for (const [format, settings] of MADE) {
    const path = join(folder, 'seed');
    const argv = [
      'convert',
      '-f',
      'raw',
      '-O',
      format,
      ...(settings === '' ? [] : ['-o', settings]),
      raw,
      path,
    ];
    await run(['qemu-img', ...argv], { timeoutMs: 60_000 });
    made.push({ format, bytes: await readFile(path) });
    await rm(path);
  }
  return made;
}

/** Images written to lead a tool to `canary`, one for each way that a format has. */
export function hostileImages(made: readonly Seed[], canary: string): Seed[] {
  const of = (format: string, at = 0) => Buffer.from(made.filter(seed => seed.format === format)[at]!.bytes);
  const text = (createType: string, extent: string, more = '') =>
    `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="${createType}"\n${extent}\n${more}`;
  const inVmdk = (descriptor: string, change?: (bytes: Buffer) => void): Seed => {
    const bytes = of('vmdk');
    bytes.fill(0, 0x200, 0x200 + 20 * 512);
    bytes.write(descriptor, 0x200, 'latin1');
    change?.(bytes);
    return { format: 'vmdk', bytes };
  };
  const own = 'RW 2048 SPARSE "disk.vmdk"';
  const named = (bytes: Buffer, at: number): Buffer => {
    bytes.write(canary, at, 'latin1');
    return bytes;
  };
  const backing = named(of('qcow2', 1), 0x1000);
  backing.writeBigUInt64BE(0x1000n, 8);
  backing.writeUInt32BE(Buffer.byteLength(canary), 16);
  const external = of('qcow2', 1);
  external.writeBigUInt64BE(external.readBigUInt64BE(72) | 4n, 72);
  const at = external.readUInt32BE(100);
  external.writeUInt32BE(0x44415441, at);
  external.writeUInt32BE(Buffer.byteLength(canary), at + 4);
  named(external, at + 8);
  const qcow = named(of('qcow'), 0x1000);
  qcow.writeBigUInt64BE(0x1000n, 8);
  qcow.writeUInt32BE(Buffer.byteLength(canary), 16);
  const qed = named(of('qed'), 0x800);
  qed.writeBigUInt64LE(qed.readBigUInt64LE(16) | 1n, 16);
  qed.writeUInt32LE(0x800, 56);
  qed.writeUInt32LE(Buffer.byteLength(canary), 60);
  return [
    { format: 'vmdk', bytes: Buffer.from(text('monolithicFlat', `RW 1 FLAT "${canary}" 0`)) },
    { format: 'vmdk', bytes: Buffer.from(text('vmfs', `RW 1 VMFS "${canary}"`)) },
    { format: 'vmdk', bytes: Buffer.from(`\n\n${text('monolithicFlat', `RW 1 FLAT "${canary}" 0`)}`) },
    inVmdk(text('monolithicSparse', own, `parentFileNameHint="${canary}"\n`).replace('ffffffff', '12345678')),
    inVmdk(text('monolithicSparse', own, `parentFileNameHint="${canary}"\n`)),
    // The header names a harmless descriptor; readers take the one at its usual place.
    inVmdk(text('monolithicSparse', own, `parentFileNameHint="${canary}"\n`), bytes => {
      bytes.write(text('monolithicSparse', own), 0x4000, 'latin1');
      bytes.writeBigUInt64LE(0x20n, 28);
    }),
    inVmdk(text('monolithicFlat', `RW 1 FLAT "${canary}" 0`), bytes => bytes.writeBigUInt64LE(0n, 12)),
    inVmdk(text('monolithicSparse', `${own}\nRW 1 FLAT "${canary}" 0`)),
    inVmdk(text('seSparse', `RW 2048 SESPARSE "${canary}"`), bytes => bytes.writeBigUInt64LE(0n, 12)),
    { format: 'qcow2', bytes: backing },
    { format: 'qcow2', bytes: external },
    { format: 'qcow', bytes: qcow },
    { format: 'qed', bytes: qed },
  ];
}

function mutate(seed: Seed, random: Random, canary: string): Seed {
  const bytes = Buffer.from(seed.bytes);
  const interesting = [0n, 1n, 0x7fff_ffffn, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn, BigInt(bytes.length)];
  for (let times = 1 + random.int(4); times > 0; times--) {
    const at = random.int(Math.min(bytes.length - 8, random.int(3) === 0 ? HEADER_BYTES : 600));
    const kind = random.int(5);
    if (kind === 0) bytes[at] = random.int(256);
    else if (kind === 1) bytes.writeBigUInt64BE(interesting[random.int(interesting.length)]!, at);
    else if (kind === 2) bytes.writeBigUInt64LE(interesting[random.int(interesting.length)]!, at);
    else if (kind === 3) bytes.write(canary, at, 'latin1');
    else bytes.writeUInt32BE(random.int(2 ** 31), at);
  }
  return {
    format: seed.format,
    bytes: random.int(8) === 0 ? bytes.subarray(0, random.int(bytes.length)) : bytes,
  };
}

function leftOut(report: (line: string) => void, why: string): number {
  report(`images: left out, ${why}`);
  return 0;
}

/**
 * The image adversary. Every image first meets the inspection; then, accepted or not, the tools themselves, told to read
 * it as its own format and as another one. Whatever they do, the bytes of a file they were not given never come out.
 */
export const part: Part = {
  name: 'images',
  share: 1,
  async run({ seed, count, report }) {
    if (!existsSync('/usr/bin/qemu-img')) return leftOut(report, 'qemu-img is not installed');
    if ((await confinement()).kind !== 'sealed') return leftOut(report, 'no namespaces on this host');
    const temp = tempDir('attack-images');
    try {
      const secret = join(temp.path, 'secret');
      await mkdir(join(temp.path, 'work'));
      await writeFile(secret, CANARY.repeat(64));
      const random = seededRandom(seed);
      const made = await seeds(temp.path);
      const hostile = hostileImages(made, secret);
      const tally = { accepted: 0, refused: 0, converted: 0 };
      for (let n = 0; n < count; n++) {
        const known = hostile[n];
        const base = [...made, ...hostile];
        const image = known ?? mutate(base[random.int(base.length)]!, random, secret);
        const path = join(temp.path, 'work', 'image');
        await writeFile(path, image.bytes);
        const header = readImageHeader(await imageEnds(path));
        const refused = header.danger !== null;
        tally[refused ? 'refused' : 'accepted'] += 1;
        if (known !== undefined && !refused)
          throw new Error(`hostile image ${n} (${image.format}) was accepted`);
        const other = READ_AS[random.int(READ_AS.length)]!;
        for (const format of new Set([
          image.format,
          known ? image.format : other,
          toolFormat(header.format),
        ])) {
          if (await leaks(path, format))
            throw new Error(`seed ${seed}, image ${n}: read as ${format} it shows the canary`);
          tally.converted += 1;
        }
      }
      report(`images: ${count} images, seed ${seed}: ${JSON.stringify(tally)}`);
      return count;
    } finally {
      temp.remove();
    }
  },
};

/** Whether a conversion brings out bytes of the canary. Its failures are what is expected. */
async function leaks(path: string, format: string): Promise<boolean> {
  const out = `${path}.out`;
  try {
    await convertDisk({ from: path, fromFormat: format, to: out, toFormat: 'raw', maxBytes: 8 * MEGABYTE });
  } catch (error) {
    if (!isFault(error, 'ProcessExecutionError')) throw error;
    if (error.message.includes(CANARY)) return true;
  }
  const file = await open(out);
  try {
    const bytes = Buffer.alloc(Math.min((await stat(out)).size, 8 * MEGABYTE));
    await file.read(bytes, 0, bytes.length, 0);
    return bytes.includes(CANARY);
  } finally {
    await file.close();
    await rm(out, { force: true });
  }
}
