import { DISK_BYTES_MAX, type ImageEnds, type ImageHeader, isPowerOfTwo, startsWith } from './header.ts';

const zeros = (bytes: Buffer, at: number, length: number): boolean =>
  bytes.subarray(at, at + length).every(byte => byte === 0);

/** VirtualBox: dynamic (1) and fixed (2) images, never undo or differencing ones. */
export function vdiHeader({ head }: ImageEnds): ImageHeader {
  if (head.length < 0x1c8) return { format: 'vdi', virtualSize: null, danger: 'its header is cut off' };
  const virtualSize = Number(head.readBigUInt64LE(0x170));
  const bad = (danger: string): ImageHeader => ({ format: 'vdi', virtualSize, danger });
  if (head.readUInt32LE(0x44) !== 0x0001_0001) return bad('its version of the format is not supported');
  const type = head.readUInt32LE(0x4c);
  if (type !== 1 && type !== 2) return bad('it has a parent file');
  if (!zeros(head, 0x1a8, 32)) return bad('it has a parent file');
  const block = head.readUInt32LE(0x178);
  const sensible =
    virtualSize <= DISK_BYTES_MAX &&
    head.readUInt32LE(0x168) === 512 &&
    block === 1024 ** 2 &&
    head.readUInt32LE(0x180) * block >= virtualSize &&
    head.readUInt32LE(0x154) % 512 === 0 &&
    head.readUInt32LE(0x158) % 512 === 0;
  return sensible ? { format: 'vdi', virtualSize, danger: null } : bad('its header makes no sense');
}

const VHD_FIXED = 2;
const VHD_DYNAMIC = 3;
const VHD_DIFFERENCING = 4;
/** Sectors of the largest geometry there is, which only says that the size counts. */
const GEOMETRY_MAX = 65_535 * 16 * 255;

/** Virtual PC, fixed (a raw disk with a footer) or dynamic (footer first, then a header of its own). */
export function vhdHeader({ head, tail }: ImageEnds): ImageHeader {
  const atStart = startsWith(head, 'conectix');
  const footer = atStart ? head : tail.subarray(-512);
  if (footer.length < 512) return { format: 'vhd', virtualSize: null, danger: 'its header is cut off' };
  // Readers go by the geometry or by the size, depending on who made the file: the larger counts here.
  const sectors = footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59);
  const geometry = sectors === GEOMETRY_MAX ? 0 : sectors * 512;
  const size = Number(footer.readBigUInt64BE(48));
  const virtualSize = atStart ? Math.max(size, geometry) : size;
  const bad = (danger: string): ImageHeader => ({ format: 'vhd', virtualSize, danger });
  const type = footer.readUInt32BE(60);
  if (type === VHD_DIFFERENCING) return bad('it has a parent file');
  if (type !== (atStart ? VHD_DYNAMIC : VHD_FIXED)) return bad('its type of disk is not supported');
  if (virtualSize > DISK_BYTES_MAX) return bad('its header makes no sense (size)');
  if (!atStart) return { format: 'vhd', virtualSize, danger: null };
  const at = Number(footer.readBigUInt64BE(16));
  if (at + 1024 > head.length || !startsWith(head, 'cxsparse', at)) return bad('its header cannot be read');
  // Parent's identity, date and name, then eight places where it may be found.
  if (!zeros(head, at + 40, 20) || !zeros(head, at + 64, 512) || !zeros(head, at + 576, 192)) {
    return bad('it has a parent file');
  }
  const block = head.readUInt32BE(at + 32);
  const sensible = isPowerOfTwo(block) && block >= 512 && head.readUInt32BE(at + 28) * block >= size;
  return sensible ? { format: 'vhd', virtualSize, danger: null } : bad('its header makes no sense');
}

export const hasVhdFooter = (tail: Buffer): boolean =>
  tail.length >= 512 && startsWith(tail, 'conectix', tail.length - 512);
