import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkImageFile } from './image-format.ts';
import { run } from './run.ts';

const MEGABYTE = 1024 ** 2;
const possible = needs('qemu-img', existsSync('/usr/bin/qemu-img'));
if (!possible) console.warn('qemu-img is not installed: its tests are left out');

describe.skipIf(!possible)('the inspection of images', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const check = (path: string, format: string) =>
    checkImageFile(path, format, 'id').then(
      ({ format: found, virtualSize }) => `${found} ${virtualSize}`,
      (error: Error) => error.message,
    );
  const convert = (format: string, options: string, path: string) =>
    run(['qemu-img', 'convert', '-f', 'raw', '-O', format, '-o', options, at('raw'), path], {
      timeoutMs: 60_000,
    });
  /** Makes an image and changes some of its bytes. */
  const changed = async (format: string, options: string, change: (bytes: Buffer) => void) => {
    await convert(format, options, at('image'));
    const bytes = await readFile(at('image'));
    change(bytes);
    await writeFile(at('image'), bytes);
    return check(at('image'), format === 'vpc' ? 'vhd' : format);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'formats-'));
    await writeFile(at('raw'), Buffer.alloc(8 * MEGABYTE, 'guest'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('takes what the tools of the trade make', async () => {
    const size = 8 * MEGABYTE;
    expect(await check(at('raw'), 'raw')).toBe('raw null');
    for (const [format, label, options] of [
      ['qcow2', 'qcow2', 'compat=0.10'],
      ['qcow2', 'qcow2', 'compat=1.1,lazy_refcounts=on'],
      ['qcow2', 'qcow2', 'extended_l2=on'],
      ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
      ['vmdk', 'vmdk', 'subformat=streamOptimized'],
      ['vdi', 'vdi', 'static=off'],
      ['vdi', 'vdi', 'static=on'],
      ['vpc', 'vhd', 'subformat=dynamic,force_size=on'],
    ] as const) {
      await convert(format, options, at('made'));
      expect([options, await check(at('made'), label)]).toEqual([options, `${label} ${size}`]);
    }
    await convert('vpc', 'subformat=fixed,force_size=on', at('made'));
    expect(await check(at('made'), 'vhd')).toBe(`raw ${size}`);
  });

  it('44, 45: names why an image is not taken: parents, other files, nonsense', async () => {
    const q = (change: (bytes: Buffer) => void) => changed('qcow2', 'compat=1.1', change);
    expect(await q(bytes => bytes.writeUInt32BE(9, 16))).toContain('has a backing file');
    expect(await q(bytes => bytes.writeUInt32BE(2, 32))).toContain('is encrypted');
    expect(await q(bytes => bytes.writeUInt8(bytes[79]! | 4, 79))).toContain('data is in another file');
    expect(await q(bytes => bytes.writeUInt8(bytes[78]! | 1, 78))).toContain('unknown features');
    expect(await q(bytes => bytes.writeUInt8(bytes[79]! | 2, 79))).toContain('corrupt');
    expect(await q(bytes => bytes.writeUInt32BE(1, 4))).toContain('version 1 of the format');
    expect(await q(bytes => bytes.writeUInt32BE(30, 20))).toContain('cluster size');
    expect(await q(bytes => bytes.writeUInt32BE(0xffffffff, 36))).toContain('L1 size');
    expect(await q(bytes => bytes.writeBigUInt64BE(1n << 62n, 24))).toContain('virtual size');
    expect(await q(bytes => bytes.writeBigUInt64BE(1n << 40n, 40))).toContain('L1 table');
    expect(await q(bytes => bytes.writeUInt32BE(0x0537be77, bytes.readUInt32BE(100)))).toContain('encrypted');
    const v = (change: (bytes: Buffer) => void) => changed('vmdk', 'subformat=monolithicSparse', change);
    const descriptor = (bytes: Buffer, from: string, to: string) => {
      const text = bytes
        .toString('latin1', 0x200, 0x200 + 10_240)
        .replace(from, to)
        .slice(0, 10_240);
      bytes.write(text, 0x200, 'latin1');
    };
    const cid = 'parentCID=ffffffff';
    expect(await v(bytes => descriptor(bytes, cid, 'parentCID=12345678'))).toContain('has a parent file');
    expect(await v(bytes => bytes.write('parentFileNameHint="/x"', 0x1800))).toContain('has a parent file');
    expect(await v(bytes => descriptor(bytes, cid, `${cid}\nRW 1 FLAT "/x" 0`))).toContain(
      'names other files',
    );
    // Of no size, and its extent, too: they agree, and readers then go by the extent alone.
    const ofNoSize = (bytes: Buffer) => {
      const [extent = ''] = /RW \d+/.exec(bytes.toString('latin1', 0x200, 0x2a00)) ?? [];
      descriptor(bytes, extent, 'RW 0');
      bytes.writeBigUInt64LE(0n, 12);
    };
    expect(await v(ofNoSize)).toContain('names other files');
    expect(await v(bytes => descriptor(bytes, 'monolithicSparse', 'vmfs'))).toContain('names other files');
    expect(await v(bytes => bytes.writeBigUInt64LE(0n, 12))).toContain('names other files');
    expect(await v(bytes => bytes.writeBigUInt64LE(2n, 28))).toContain('not where it belongs');
    expect(await v(bytes => bytes.write('COWD', 0))).toContain('names other files');
    const d = (change: (bytes: Buffer) => void) => changed('vdi', 'static=off', change);
    expect(await d(bytes => bytes.writeUInt32LE(4, 0x4c))).toContain('has a parent file');
    expect(await d(bytes => bytes.writeUInt8(1, 0x1b8))).toContain('has a parent file');
    const h = (change: (bytes: Buffer) => void) => changed('vpc', 'subformat=dynamic', change);
    expect(await h(bytes => bytes.writeUInt32BE(4, 60))).toContain('has a parent file');
    expect(await h(bytes => bytes.write('W2ku', 512 + 576))).toContain('has a parent file');
    for (const format of ['vhdx', 'qed', 'parallels']) {
      await run(['qemu-img', 'create', '-q', '-f', format, at('odd'), '8M'], { timeoutMs: 60_000 });
      expect(await check(at('odd'), 'raw')).toContain(`its bytes are ${format}`);
    }
    await writeFile(at('text'), '\n# a comment\nversion = 1\nRW 1 FLAT "/etc/passwd" 0\n');
    expect(await check(at('text'), 'raw')).toContain('its bytes are vmdk');
    await appendFile(at('text'), 'x');
    expect(await check(at('text'), 'vmdk')).toContain('names other files');
  });
});
