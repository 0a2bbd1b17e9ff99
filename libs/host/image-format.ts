import { open } from 'node:fs/promises';
import { catalogue } from '@folsom/core';

/** What the first bytes of a disk image say. Guest bytes are read by this code only, never probed by an image tool. */
export interface ImageHeader {
  format: 'raw' | 'qcow2' | 'qed' | 'vmdk' | 'vdi' | 'vhd' | 'vhdx' | 'luks' | 'iso';
  /** Size of the disk the guest would see, in bytes; null where the header does not say. */
  virtualSize: number | null;
  /** Why this image must not be used, if it must not: it points at other files, or cannot be understood. */
  danger: string | null;
}

/** Bytes of an image that decide everything below. */
export const HEADER_BYTES = 64 * 1024;

const QCOW2_EXTERNAL_DATA = 1n << 2n;
const QCOW2_KNOWN_INCOMPATIBLE = 0b1_1111n;
const QCOW2_DATA_FILE_EXTENSION = 0x44415441;
const QCOW2_EXTENSIONS_MAX = 64;

/** Reads a header out of the first {@link HEADER_BYTES} of an image (fewer if it is shorter). */
export function readImageHeader(bytes: Buffer): ImageHeader {
  const starts = (text: string, at = 0) => bytes.subarray(at, at + text.length).toString('latin1') === text;
  const plain = (format: ImageHeader['format'], virtualSize: number | null = null): ImageHeader => ({
    format,
    virtualSize,
    danger: null,
  });
  if (starts('QFI\xfb')) return qcow2(bytes);
  if (starts('QED\0')) return { format: 'qed', virtualSize: null, danger: 'QED images are not supported' };
  if (
    starts('KDMV') ||
    starts('COWD') ||
    /^#\s*Disk DescriptorFile/i.test(bytes.subarray(0, 512).toString('latin1'))
  ) {
    return vmdk(bytes);
  }
  if (bytes.length >= 0x180 && bytes.readUInt32LE(0x40) === 0xbeda107f) {
    return plain('vdi', Number(bytes.readBigUInt64LE(0x170)));
  }
  if (starts('conectix')) return vhd(bytes);
  if (starts('vhdxfile')) return plain('vhdx');
  if (starts('LUKS\xba\xbe')) return plain('luks');
  if (starts('CD001', 0x8001)) return plain('iso');
  return plain('raw');
}

function qcow2(bytes: Buffer): ImageHeader {
  const bad = (danger: string, virtualSize: number | null = null): ImageHeader => ({
    format: 'qcow2',
    virtualSize,
    danger,
  });
  if (bytes.length < 72) return bad('its header is cut off');
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) return bad(`version ${version} of the format is not supported`);
  const virtualSize = Number(bytes.readBigUInt64BE(24));
  if (bytes.readBigUInt64BE(8) !== 0n || bytes.readUInt32BE(16) !== 0)
    return bad('it has a backing file', virtualSize);
  if (bytes.readUInt32BE(32) !== 0) return bad('it is encrypted', virtualSize);
  let at = 72;
  if (version === 3) {
    if (bytes.length < 104) return bad('its header is cut off');
    const incompatible = bytes.readBigUInt64BE(72);
    if ((incompatible & QCOW2_EXTERNAL_DATA) !== 0n) return bad('its data is in another file', virtualSize);
    if ((incompatible & ~QCOW2_KNOWN_INCOMPATIBLE) !== 0n)
      return bad('it uses unknown features', virtualSize);
    at = bytes.readUInt32BE(100);
  }
  for (let count = 0; at + 8 <= bytes.length; count++) {
    if (count > QCOW2_EXTENSIONS_MAX) return bad('its header has too many extensions', virtualSize);
    const type = bytes.readUInt32BE(at);
    const length = bytes.readUInt32BE(at + 4);
    if (type === 0) break;
    if (type === QCOW2_DATA_FILE_EXTENSION) return bad('its data is in another file', virtualSize);
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return { format: 'qcow2', virtualSize, danger: null };
}

function vmdk(bytes: Buffer): ImageHeader {
  const bad = (danger: string): ImageHeader => ({ format: 'vmdk', virtualSize: null, danger });
  if (bytes.subarray(0, 4).toString('latin1') !== 'KDMV' || bytes.length < 512) {
    return bad('its descriptor names other files');
  }
  const capacity = Number(bytes.readBigUInt64LE(12)) * 512;
  const descriptorAt = Number(bytes.readBigUInt64LE(28)) * 512;
  const descriptorSize = Number(bytes.readBigUInt64LE(36)) * 512;
  if (descriptorAt <= 0 || descriptorAt + descriptorSize > bytes.length)
    return bad('its descriptor cannot be read');
  const descriptor = bytes.subarray(descriptorAt, descriptorAt + descriptorSize).toString('latin1');
  const type = /createType\s*=\s*"([^"]*)"/i.exec(descriptor)?.[1];
  if (type !== 'monolithicSparse' && type !== 'streamOptimized')
    return bad('its descriptor names other files');
  const extents = descriptor.match(/^\s*(RW|RDONLY|NOACCESS)\s.*$/gim) ?? [];
  const single = extents.length === 1 && /\sSPARSE\s+"[^"/\\]*"/i.test(extents[0]!);
  if (!single) return bad('its descriptor names other files');
  return { format: 'vmdk', virtualSize: capacity, danger: null };
}

function vhd(bytes: Buffer): ImageHeader {
  if (bytes.length < 512) return { format: 'vhd', virtualSize: null, danger: 'its header is cut off' };
  const type = bytes.readUInt32BE(60);
  const virtualSize = Number(bytes.readBigUInt64BE(48));
  return { format: 'vhd', virtualSize, danger: type === 4 ? 'it has a parent file' : null };
}

const fault = catalogue(
  { ImageUnacceptable: { status: 400, text: 'Image %(image_id)s is unacceptable: %(reason)s' } },
  { module: 'nova.exception' },
);

/** disk_format as the image service has it → what the bytes must be. */
const EXPECTED: Readonly<Record<string, readonly ImageHeader['format'][]>> = {
  raw: ['raw', 'iso', 'luks'],
  ami: ['raw'],
  aki: ['raw'],
  ari: ['raw'],
  iso: ['iso', 'raw'],
  qcow2: ['qcow2'],
  vmdk: ['vmdk'],
  vdi: ['vdi'],
  vhd: ['vhd', 'raw'],
};

/** How image tools call our formats. */
export const toolFormat = (format: ImageHeader['format']): string =>
  format === 'vhd' ? 'vpc' : format === 'iso' || format === 'luks' ? 'raw' : format;

/**
 * Checks an image file before anything else touches it.
 * @throws Fault `ImageUnacceptable` unless its bytes are what `diskFormat` says and point at no other file.
 */
export async function checkImageFile(
  path: string,
  diskFormat: string | null,
  imageId: string,
): Promise<ImageHeader> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return checkImageHeader(bytes.subarray(0, bytesRead), diskFormat, imageId);
  } finally {
    await file.close();
  }
}

export function checkImageHeader(bytes: Buffer, diskFormat: string | null, imageId: string): ImageHeader {
  const header = readImageHeader(bytes);
  const refuse = (reason: string) => fault('ImageUnacceptable', { image_id: imageId, reason });
  const expected = EXPECTED[diskFormat ?? 'raw'];
  if (expected === undefined) throw refuse(`disk format ${diskFormat} is not supported`);
  if (!expected.includes(header.format)) {
    throw refuse(`its bytes are ${header.format}, its disk format is ${diskFormat ?? 'raw'}`);
  }
  if (header.danger !== null) throw refuse(header.danger);
  return header;
}

/** Offset and value of the magic number of ext2, ext3 and ext4. */
export async function isExtFilesystem(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(2);
    const { bytesRead } = await file.read(bytes, 0, 2, 0x438);
    return bytesRead === 2 && bytes.readUInt16LE(0) === 0xef53;
  } finally {
    await file.close();
  }
}
