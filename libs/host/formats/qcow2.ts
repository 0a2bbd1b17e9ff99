import { DISK_BYTES_MAX, type ImageEnds, type ImageHeader } from './header.ts';

/** Incompatible features, by bit: dirty, corrupt, external data file, compression type, extended L2. */
const CORRUPT = 1n << 1n;
const EXTERNAL_DATA = 1n << 2n;
const KNOWN_INCOMPATIBLE = 0b1_1111n;
/** Header extensions that name no file and hide nothing: backing format, feature names, bitmaps. */
const HARMLESS_EXTENSIONS: ReadonlySet<number> = new Set([0xe2792aca, 0x6803f857, 0x23852875]);
const DATA_FILE = 0x44415441;
const ENCRYPTION = 0x0537be77;
const EXTENSIONS_MAX = 16;
const L1_BYTES_MAX = 32 * 1024 ** 2;
const REFCOUNT_TABLE_BYTES_MAX = 8 * 1024 ** 2;
const SNAPSHOTS_MAX = 65_536;

/** Source: the format's specification (docs/interop/qcow2.txt of QEMU). */
export function qcow2Header({ head, size }: ImageEnds): ImageHeader {
  let virtualSize: number | null = null;
  const bad = (danger: string): ImageHeader => ({ format: 'qcow2', virtualSize, danger });
  if (head.length < 72) return bad('its header is cut off');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) return bad(`version ${version} of the format is not supported`);
  virtualSize = Number(head.readBigUInt64BE(24));
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0) return bad('it has a backing file');
  if (head.readUInt32BE(32) !== 0) return bad('it is encrypted');
  const numbers = tables(head, size, virtualSize);
  if (numbers !== null) return bad(numbers);
  if (version === 2) return { format: 'qcow2', virtualSize, danger: extensions(head, 72) };
  if (head.length < 104) return bad('its header is cut off');
  const incompatible = head.readBigUInt64BE(72);
  if ((incompatible & EXTERNAL_DATA) !== 0n) return bad('its data is in another file');
  if ((incompatible & ~KNOWN_INCOMPATIBLE) !== 0n) return bad('it uses unknown features');
  if ((incompatible & CORRUPT) !== 0n) return bad('it is marked as corrupt');
  if (head.readUInt32BE(96) > 6) return bad('its header makes no sense (refcount order)');
  const length = head.readUInt32BE(100);
  if (length < 104 || length % 8 !== 0 || length > 2 ** head.readUInt32BE(20)) {
    return bad('its header makes no sense (header length)');
  }
  return { format: 'qcow2', virtualSize, danger: extensions(head, length) };
}

/** Whether the tables lie inside the file and the numbers fit each other. */
function tables(head: Buffer, size: number, virtualSize: number): string | null {
  const wrong = (what: string) => `its header makes no sense (${what})`;
  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) return wrong('cluster size');
  if (virtualSize > DISK_BYTES_MAX) return wrong('virtual size');
  const cluster = 2 ** clusterBits;
  const l1Entries = head.readUInt32BE(36);
  const l1At = Number(head.readBigUInt64BE(40));
  // Entries of extended L2 tables are twice as long, so one L1 entry covers half.
  const extended = head.readUInt32BE(4) === 3 && head.length >= 80 && (head.readUInt8(79) & 0b1_0000) !== 0;
  const covered = cluster * (cluster / (extended ? 16 : 8));
  if (l1Entries * 8 > L1_BYTES_MAX || l1Entries < Math.ceil(virtualSize / covered)) return wrong('L1 size');
  if (l1At % cluster !== 0 || (l1Entries > 0 && l1At + l1Entries * 8 > size)) return wrong('L1 table');
  const refcountAt = Number(head.readBigUInt64BE(48));
  if (refcountAt % cluster !== 0 || refcountAt > size) return wrong('refcount table');
  if (head.readUInt32BE(56) * cluster > REFCOUNT_TABLE_BYTES_MAX) return wrong('refcount table');
  if (head.readUInt32BE(60) > SNAPSHOTS_MAX) return wrong('snapshots');
  return null;
}

function extensions(head: Buffer, from: number): string | null {
  let at = from;
  for (let count = 0; ; count++) {
    if (count > EXTENSIONS_MAX) return 'its header has too many extensions';
    // Without room for another extension there is none: the first cluster is shorter than what is read here.
    if (at + 8 > head.length) return null;
    const type = head.readUInt32BE(at);
    if (type === 0) return null;
    if (type === DATA_FILE) return 'its data is in another file';
    if (type === ENCRYPTION) return 'it is encrypted';
    if (!HARMLESS_EXTENSIONS.has(type)) return 'it uses unknown features';
    at += 8 + Math.ceil(head.readUInt32BE(at + 4) / 8) * 8;
  }
}
