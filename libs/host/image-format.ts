import { open } from 'node:fs/promises';
import { catalogue } from '@folsom/core';
import { type ImageEnds, type ImageHeader, startsWith } from './formats/header.ts';
import { qcow2Header } from './formats/qcow2.ts';
import { hasVhdFooter, vdiHeader, vhdHeader } from './formats/virtual-disks.ts';
import { isVmdkText, vmdkHeader } from './formats/vmdk.ts';

export type { ImageHeader } from './formats/header.ts';

/** Bytes at the beginning and at the end of an image that decide everything below. */
export const HEADER_BYTES = 64 * 1024;
const TAIL_BYTES = 4096;

const unsupported = (format: ImageHeader['format']): ImageHeader => ({
  format,
  virtualSize: null,
  danger: `${format} images are not supported`,
});
const plain = (format: ImageHeader['format']): ImageHeader => ({ format, virtualSize: null, danger: null });

/** Reads what an image says about itself. */
export function readImageHeader(ends: ImageEnds): ImageHeader {
  const { head, tail } = ends;
  const starts = (text: string, at = 0) => startsWith(head, text, at);
  if (starts('QFI\xfb')) return qcow2Header(ends);
  if (starts('QED\0')) return unsupported('qed');
  if (starts('KDMV') || starts('COWD') || isVmdkText(head)) return vmdkHeader(ends);
  if (head.length >= 0x44 && head.readUInt32LE(0x40) === 0xbeda107f) return vdiHeader(ends);
  if (starts('conectix')) return vhdHeader(ends);
  if (starts('vhdxfile')) return unsupported('vhdx');
  if (starts('WithoutFreeSpace') || starts('WithouFreSpacExt')) return unsupported('parallels');
  if (starts('Bochs Virtual HD Image')) return unsupported('bochs');
  if (starts('#!/bin/sh\n#V2.0 Format')) return unsupported('cloop');
  if (startsWith(tail, 'koly', tail.length - 512)) return unsupported('dmg');
  if (starts('LUKS\xba\xbe')) return plain('luks');
  if (starts('CD001', 0x8001)) return plain('iso');
  return plain('raw');
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

/** The parts of a file that {@link readImageHeader} looks at. */
export async function imageEnds(path: string): Promise<ImageEnds> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const part = async (length: number, at: number) => {
      const bytes = Buffer.alloc(Math.min(length, size));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
      return bytes.subarray(0, bytesRead);
    };
    return {
      size,
      head: await part(HEADER_BYTES, 0),
      tail: await part(TAIL_BYTES, Math.max(0, size - TAIL_BYTES)),
    };
  } finally {
    await file.close();
  }
}

/**
 * Checks an image file before anything else touches it.
 * @throws Fault `ImageUnacceptable` unless its bytes are what `diskFormat` says and point at no other file.
 */
export async function checkImageFile(
  path: string,
  diskFormat: string | null,
  imageId: string,
): Promise<ImageHeader> {
  return checkImage(await imageEnds(path), diskFormat, imageId);
}

function checkImage(ends: ImageEnds, diskFormat: string | null, imageId: string): ImageHeader {
  const found = readImageHeader(ends);
  // A fixed VHD is a raw disk with a footer.
  const header =
    diskFormat === 'vhd' && found.format === 'raw' && hasVhdFooter(ends.tail)
      ? { ...vhdHeader(ends), format: 'raw' as const }
      : found;
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
