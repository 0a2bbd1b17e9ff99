/**
 * A program for guests, which have none: reads or writes blocks of 4 KiB of a file or device's first 64 MiB beside the page cache, in an
 * order that looks like chance. For Linux on x86-64; needs no library. `random-access FILE r|w HUNDREDS` (one digit).
 */

// open(FILE, O_RDWR | O_DIRECT); then 100 * HUNDREDS times: x = x * 1103515245 + 12345 and
// pread64 or pwrite64(file, buffer, 4096, ((x >> 8) & 0x3fff) << 12); exits with 1 when that is not whole.
const CODE = Buffer.from(
  [
    '488b7c2410488b5c2418488b4c24200fb62983ed306bed64be02400000b8020000000f054189c441bd11000000803b77',
    '750341ffc541be010000004569f66d4ec6414181c6393000004589f241c1ea084181e2ff3f000049c1e20c4489e84489',
    'e7be00104000ba001000000f053d001000007504ffcd75c331ff3d00100000400f95c7b83c0000000f05',
  ].join(''),
  'hex',
);
const BASE = 0x400000;
/** The buffer that the code uses begins a page above the base. */
const MEMORY = 0x2000;
const FILE_HEADER = 64;
const HEADERS = FILE_HEADER + 56;

/** The program as an ELF file: headers of 120 bytes, one segment, the code. */
export function randomAccess(): Buffer {
  const headers = Buffer.alloc(HEADERS);
  headers.write('7f454c46020101', 0, 'hex');
  headers.writeUInt16LE(2, 16);
  headers.writeUInt16LE(62, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  headers.writeBigUInt64LE(BigInt(FILE_HEADER), 32);
  headers.writeUInt16LE(FILE_HEADER, 52);
  headers.writeUInt16LE(HEADERS - FILE_HEADER, 54);
  headers.writeUInt16LE(1, 56);
  // To be read, written and run.
  headers.writeUInt32LE(1, FILE_HEADER);
  headers.writeUInt32LE(7, FILE_HEADER + 4);
  headers.writeBigUInt64LE(BigInt(BASE), FILE_HEADER + 16);
  headers.writeBigUInt64LE(BigInt(HEADERS + CODE.length), FILE_HEADER + 32);
  headers.writeBigUInt64LE(BigInt(MEMORY), FILE_HEADER + 40);
  headers.writeBigUInt64LE(4096n, FILE_HEADER + 48);
  return Buffer.concat([headers, CODE]);
}
