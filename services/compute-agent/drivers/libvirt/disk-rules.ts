import type { ComputeSettings } from '../../settings.ts';

/** How nova.conf wants guests' disks. */
export interface DiskRules {
  /** A disk is a layer over the cached image; else a whole copy of it. */
  layered: boolean;
  /** A qcow2 image stays as it was uploaded below such layers. */
  asUploaded: boolean;
  /** What disks are called: `vd` as in `vda`. */
  prefix: string;
  /** The command that formats the ephemeral disk of an image with this `os_type`; empty for none. */
  ephemeral(osType: string | null): string;
  /** Of snapshots, but for those of ami images, which are raw. */
  snapshots: SnapshotFormat;
}

const SNAPSHOT_FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi'] as const;
export type SnapshotFormat = (typeof SNAPSHOT_FORMATS)[number];

const FORMATS = ['ext2', 'ext3', 'ext4'];
const PREFIXES = ['vd', 'sd', 'xvd'];

/** The command of `virt_mkfs` that `default_ephemeral_format` speaks of. */
const mkfs = (format: string): string => `mkfs.${format} -L %(fs_label)s -F %(target)s`;
export const PLAIN_MKFS = mkfs('ext3');

type DiskOptions = Pick<
  ComputeSettings,
  | 'libvirt_images_type'
  | 'use_cow_images'
  | 'force_raw_images'
  | 'libvirt_disk_prefix'
  | 'default_ephemeral_format'
  | 'virt_mkfs'
  | 'snapshot_image_format'
>;

/** @throws where guests' disks cannot be what is asked for: no guest is made otherwise than its operator wants it */
export function diskRules(settings: DiskOptions): DiskRules {
  const {
    libvirt_images_type: type,
    use_cow_images: cow,
    libvirt_disk_prefix,
    snapshot_image_format,
  } = settings;
  if (!['default', 'qcow2', 'raw'].includes(type)) {
    throw new Error(`libvirt_images_type = ${type}: guests' disks are qcow2 or raw files`);
  }
  const prefix = libvirt_disk_prefix || 'vd';
  if (!PREFIXES.includes(prefix)) {
    throw new Error(`libvirt_disk_prefix = ${prefix}: it is one of ${PREFIXES.join(', ')}`);
  }
  const snapshots = SNAPSHOT_FORMATS.find(name => name === (snapshot_image_format || 'qcow2'));
  if (snapshots === undefined) {
    throw new Error(
      `snapshot_image_format = ${snapshot_image_format}: it is one of ${SNAPSHOT_FORMATS.join(', ')}`,
    );
  }
  const layered = type === 'qcow2' || (type === 'default' && cow);
  return {
    layered,
    asUploaded: layered && !settings.force_raw_images,
    prefix,
    ephemeral: ephemeralCommands(settings),
    snapshots,
  };
}

function ephemeralCommands(settings: Pick<DiskOptions, 'default_ephemeral_format' | 'virt_mkfs'>) {
  const format = settings.default_ephemeral_format;
  if (format && !FORMATS.includes(format)) {
    throw new Error(`default_ephemeral_format = ${format}: it is one of ${FORMATS.join(', ')}`);
  }
  const commands = new Map<string, string>();
  for (const entry of settings.virt_mkfs) {
    const [, osType, command] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
    if (osType === undefined || command === undefined) {
      throw new Error(`virt_mkfs = ${entry}: it is written OS_TYPE=COMMAND`);
    }
    commands.set(osType.trim(), command.trim());
  }
  return (osType: string | null): string => {
    const command = commands.get(osType ?? 'default') ?? commands.get('default') ?? '';
    // Whoever names a format means the disks that would have the plain one, or none.
    return format && (command === '' || command === PLAIN_MKFS) ? mkfs(format) : command;
  };
}

/**
 * Raw disks end on a whole block of any disk they may lie on: qemu reads them past the page cache, and refuses one that
 * ends elsewhere as soon as a hole at its beginning hides how small the blocks really are.
 */
const BLOCK_BYTES = 4096;
export const wholeBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
