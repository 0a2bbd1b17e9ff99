import { pythonIso } from '@folsom/core';

/** Folsom's states of an image. */
export const STATUSES = ['active', 'saving', 'queued', 'killed', 'pending_delete', 'deleted'] as const;
export type ImageStatus = (typeof STATUSES)[number];

export const isStatus = (value: unknown): value is ImageStatus => STATUSES.includes(value as ImageStatus);

/** Where an image may go from a state; anything else is refused whoever asks. */
export const TRANSITIONS: Record<ImageStatus, readonly ImageStatus[]> = {
  queued: ['saving', 'active', 'killed', 'pending_delete', 'deleted'],
  saving: ['active', 'killed', 'pending_delete', 'deleted'],
  active: ['killed', 'pending_delete', 'deleted'],
  killed: ['pending_delete', 'deleted'],
  pending_delete: ['deleted'],
  deleted: [],
};

/** The states from which `to` may be reached, itself included. */
export const sourcesOf = (to: ImageStatus): ImageStatus[] =>
  STATUSES.filter(from => from === to || TRANSITIONS[from].includes(to));

export const CONTAINER_FORMATS = ['ami', 'ari', 'aki', 'bare', 'ovf'] as const;
export const DISK_FORMATS = ['ami', 'ari', 'aki', 'vhd', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso'] as const;

/** An image as the database holds it; times in milliseconds, size in bytes, min_disk in GB, min_ram in MB. */
export interface Image {
  id: string;
  name: string | null;
  size: number | null;
  status: ImageStatus;
  is_public: boolean;
  location: string | null;
  created_at: number;
  updated_at: number | null;
  deleted_at: number | null;
  deleted: boolean;
  disk_format: string | null;
  container_format: string | null;
  checksum: string | null;
  owner: string | null;
  min_disk: number;
  min_ram: number;
  protected: boolean;
  properties: Record<string, string | null>;
}

/** What may be set on an image. */
export type ImageValues = Partial<
  Omit<Image, 'created_at' | 'updated_at' | 'deleted_at' | 'deleted' | 'properties'>
>;

/** An image as it travels between registry and API and in v1: times as text. */
export type ImageMeta = Omit<Image, 'created_at' | 'updated_at' | 'deleted_at'> & {
  created_at: string;
  updated_at: string | null;
  deleted_at: string | null;
};

const wholeSeconds = (ms: number): string => pythonIso(Math.floor(ms / 1000) * 1000);

/** The registry's view. Times are cut to seconds, as a DATETIME column would; order in the database is finer. */
export function imageMeta(image: Image): ImageMeta {
  return {
    ...image,
    created_at: wholeSeconds(image.created_at),
    updated_at: image.updated_at === null ? null : wholeSeconds(image.updated_at),
    deleted_at: image.deleted_at === null ? null : wholeSeconds(image.deleted_at),
  };
}

/** A membership: the image is shared with tenant `member`, who may pass it on if `can_share`. */
export interface Member {
  image_id: string;
  member: string;
  can_share: boolean;
}

/**
 * Whether Python's `uuid.UUID()` would take the text. Anything longer than the column is refused: the id also names files.
 */
export const isUuidLike = (text: string): boolean =>
  text.length <= 36 &&
  /^[0-9a-f]{32}$/i.test(
    text
      .replace(/^urn:|^uuid:/g, '')
      .replace(/[{}]/g, '')
      .replaceAll('-', ''),
  );
