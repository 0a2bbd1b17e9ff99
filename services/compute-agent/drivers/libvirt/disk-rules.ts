import type { ComputeSettings } from '../../settings.ts';

/** How nova.conf wants guests' disks. */
export interface DiskRules {
  /** A disk is a layer over the cached image; else a whole copy of it. */
  layered: boolean;
  /** Of the flavor's ephemeral disk. */
  ephemeral: EphemeralFormat;
}

const FORMATS = ['ext2', 'ext3', 'ext4'] as const;
export type EphemeralFormat = (typeof FORMATS)[number];

/** Of an image without `os_type`. */
const EPHEMERAL: EphemeralFormat = 'ext3';

/** @throws where guests' disks cannot be what is asked for: no guest is made otherwise than its operator wants it */
export function diskRules(
  settings: Pick<ComputeSettings, 'libvirt_images_type' | 'use_cow_images' | 'default_ephemeral_format'>,
): DiskRules {
  const { libvirt_images_type: type, use_cow_images: cow, default_ephemeral_format: format } = settings;
  if (!['default', 'qcow2', 'raw'].includes(type)) {
    throw new Error(`libvirt_images_type = ${type}: guests' disks are qcow2 or raw files`);
  }
  const ephemeral = FORMATS.find(name => name === (format ?? EPHEMERAL));
  if (ephemeral === undefined) {
    throw new Error(`default_ephemeral_format = ${format}: it is one of ${FORMATS.join(', ')}`);
  }
  return { layered: type === 'qcow2' || (type === 'default' && cow), ephemeral };
}

/**
 * Raw disks end on a whole block of any disk they may lie on: qemu reads them past the page cache, and refuses one that
 * ends elsewhere as soon as a hole at its beginning hides how small the blocks really are.
 */
const BLOCK_BYTES = 4096;
export const wholeBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
