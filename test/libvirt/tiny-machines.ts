import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '@folsom/host';

// Machines that boot in a second and say one line on their serial console: what an image is to a guest shows in no time.

/** Real-mode code that writes the text behind it to the first serial port, and stands still. */
const SAYS = Buffer.from('fafc0e1fe800005e81c61300baf803ac84c07403eeebf8f4ebfd', 'hex');
const MEGABYTE = 1024 ** 2;
const SECTOR = 2048;

const says = (text: string): Buffer => Buffer.concat([SAYS, Buffer.from(`${text}\r\n\0`, 'latin1')]);

/** A raw disk that says so. */
function disk(text: string): Buffer {
  const bytes = Buffer.alloc(MEGABYTE);
  says(text).copy(bytes);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}

/** A CD (El Torito, no emulation) that says so. */
function cd(text: string): Buffer {
  const bytes = Buffer.alloc(24 * SECTOR);
  const at = (sector: number) => bytes.subarray(sector * SECTOR, (sector + 1) * SECTOR);
  const descriptor = (sector: number, type: number): Buffer => {
    at(sector).writeUInt8(type);
    at(sector).write('CD001\x01', 1, 'latin1');
    return at(sector);
  };
  const [VOLUME, BOOT, END, CATALOG, CODE] = [16, 17, 18, 19, 20] as const;
  descriptor(VOLUME, 1).writeUInt32LE(24, 80);
  const boot = descriptor(BOOT, 0);
  boot.write('EL TORITO SPECIFICATION', 7, 'latin1');
  boot.writeUInt32LE(CATALOG, 0x47);
  descriptor(END, 255);
  const catalog = at(CATALOG);
  catalog.writeUInt8(1, 0);
  catalog.writeUInt16LE(0xaa55, 30);
  // All words of the first entry add up to nothing.
  catalog.writeUInt16LE(0x10000 - (0x0001 + 0xaa55), 28);
  catalog.writeUInt8(0x88, 32);
  catalog.writeUInt16LE(1, 38);
  catalog.writeUInt32LE(CODE, 40);
  says(text).copy(at(CODE));
  return bytes;
}

/** Images in the formats that Folsom takes besides raw and qcow2, each of which says its format; by glance's names. */
export async function tinyMachines(): Promise<{ format: string; text: string; bytes: Buffer }[]> {
  const text = (format: string) => `this is a ${format}`;
  const out = [{ format: 'iso', text: text('iso'), bytes: cd(text('iso')) }];
  const dir = await mkdtemp(join(tmpdir(), 'tiny-'));
  try {
    for (const [format, tool] of [
      ['vmdk', 'vmdk'],
      ['vdi', 'vdi'],
      ['vhd', 'vpc'],
    ] as const) {
      const [from, to] = [join(dir, `${format}.raw`), join(dir, format)];
      await writeFile(from, disk(text(format)));
      await run(['qemu-img', 'convert', '-f', 'raw', '-O', tool, from, to], { timeoutMs: 60_000 });
      out.push({ format, text: text(format), bytes: await readFile(to) });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return out;
}
