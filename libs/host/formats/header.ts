/** What the bytes of a disk image say about it. Guest bytes are read by this code only, never probed by an image tool. */
export interface ImageHeader {
  format: ImageFormat;
  /** Size of the disk the guest would see, in bytes; null where the header does not say. */
  virtualSize: number | null;
  /** Why this image must not be used, if it must not: it points at other files, or cannot be understood. */
  danger: string | null;
}

export type ImageFormat =
  | 'raw'
  | 'qcow2'
  | 'qed'
  | 'vmdk'
  | 'vdi'
  | 'vhd'
  | 'vhdx'
  | 'luks'
  | 'iso'
  | 'parallels'
  | 'bochs'
  | 'cloop'
  | 'dmg';

/** The parts of a file that decide: its beginning, its end and its size in bytes. */
export interface ImageEnds {
  head: Buffer;
  tail: Buffer;
  size: number;
}

/** No disk is larger than this; headers that say so are nonsense, and numbers below are exact. */
export const DISK_BYTES_MAX = 2 ** 50;

export const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value)) && value > 0;

export const startsWith = (bytes: Buffer, text: string, at = 0): boolean =>
  bytes.subarray(at, at + text.length).toString('latin1') === text;
