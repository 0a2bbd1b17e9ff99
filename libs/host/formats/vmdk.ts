import { DISK_BYTES_MAX, type ImageEnds, type ImageHeader, isPowerOfTwo, startsWith } from './header.ts';

const SECTOR = 512;
/** Readers look for a descriptor here, whatever the header names, and for so many bytes. */
const DESCRIPTOR_AT = 0x200;
const DESCRIPTOR_BYTES = 20 * SECTOR;
const GRAIN_DIRECTORY_AT_END = 0xffff_ffff_ffff_ffffn;
/** Footer marker, footer, end-of-stream marker: the last three sectors of a stream. */
const FOOTER_FROM_END = 2 * SECTOR;
const ALLOWED_TYPES: ReadonlySet<string> = new Set(['monolithicSparse', 'streamOptimized']);
const NO_PARENT = 'ffffffff';

const OTHER_FILES = 'its descriptor names other files';

export const isVmdkText = (head: Buffer): boolean =>
  /^(?:\s|#[^\n]*\n)*(?:#\s*Disk DescriptorFile|version\s*=\s*\d)/i.test(
    head.subarray(0, 2048).toString('latin1'),
  );

/** A VMDK is taken only if it is one sparse file with a descriptor inside that names nothing but itself. */
export function vmdkHeader(ends: ImageEnds): ImageHeader {
  const { head, tail } = ends;
  const bad = (danger: string, virtualSize: number | null = null): ImageHeader => ({
    format: 'vmdk',
    virtualSize,
    danger,
  });
  if (!startsWith(head, 'KDMV') || head.length < DESCRIPTOR_AT + SECTOR) return bad(OTHER_FILES);
  const wrong = sparseHeader(head, 0);
  if (wrong !== null) return bad(wrong);
  const sectors = Number(head.readBigUInt64LE(12));
  const virtualSize = sectors * SECTOR;
  if (head.readBigUInt64LE(56) === GRAIN_DIRECTORY_AT_END) {
    // The header that counts is then the one at the end.
    const at = tail.length - FOOTER_FROM_END;
    if (at < 0 || !startsWith(tail, 'KDMV', at)) return bad('its footer is missing', virtualSize);
    const footer = sparseHeader(tail, at);
    if (footer !== null) return bad(footer, virtualSize);
    if (Number(tail.readBigUInt64LE(at + 12)) !== sectors) {
      return bad('its header makes no sense (footer)', virtualSize);
    }
  } else if (Number(head.readBigUInt64LE(56)) * SECTOR > ends.size) {
    return bad('its header makes no sense (grain directory)', virtualSize);
  }
  const length = Math.max(DESCRIPTOR_BYTES, Number(head.readBigUInt64LE(36)) * SECTOR);
  const text = head.subarray(DESCRIPTOR_AT, DESCRIPTOR_AT + length).toString('latin1');
  return { format: 'vmdk', virtualSize, danger: descriptorDanger(text, sectors) };
}

function sparseHeader(bytes: Buffer, at: number): string | null {
  const wrong = (what: string) => `its header makes no sense (${what})`;
  const version = bytes.readUInt32LE(at + 4);
  if (version < 1 || version > 3) return `version ${version} of the format is not supported`;
  const sectors = Number(bytes.readBigUInt64LE(at + 12));
  // Without a capacity readers follow the descriptor's extents instead of this header.
  if (sectors === 0) return OTHER_FILES;
  if (sectors * SECTOR > DISK_BYTES_MAX) return wrong('capacity');
  const grain = Number(bytes.readBigUInt64LE(at + 20));
  if (!isPowerOfTwo(grain) || grain < 8 || grain > 0x20_0000) return wrong('grain size');
  if (bytes.readUInt32LE(at + 44) !== 512) return wrong('grain tables');
  if (bytes.readBigUInt64LE(at + 28) * BigInt(SECTOR) !== BigInt(DESCRIPTOR_AT)) {
    return 'its descriptor is not where it belongs';
  }
  const length = Number(bytes.readBigUInt64LE(at + 36));
  if (length < 1 || length > 120) return wrong('descriptor size');
  return null;
}

/** Every line must be one that is known to name nothing; the one extent is this file. */
function descriptorDanger(text: string, sectors: number): string | null {
  // Looked for in all bytes that a reader might see, also behind the end of the text.
  if (/parentFileNameHint|changeTrackPath/i.test(text)) return 'it has a parent file';
  const end = text.indexOf('\0');
  let type: string | undefined;
  let extents = 0;
  for (const line of (end === -1 ? text : text.slice(0, end)).split(/[\r\n]+/).map(each => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const extent = /^RW (\d+) SPARSE "([^"/\\]*)"$/.exec(line);
    if (extent !== null && Number(extent[1]) === sectors) {
      extents += 1;
      continue;
    }
    const [, key = '', value = ''] = /^([\w.]+)\s*=\s*"?([^"]*)"?$/.exec(line) ?? [];
    if (key === 'parentCID' && value.toLowerCase() !== NO_PARENT) return 'it has a parent file';
    else if (key === 'createType' && type === undefined) type = value;
    else if (!/^(version|encoding|CID|parentCID|isNativeSnapshot|ddb\.[\w.]+)$/.test(key)) return OTHER_FILES;
  }
  return extents === 1 && type !== undefined && ALLOWED_TYPES.has(type) ? null : OTHER_FILES;
}
