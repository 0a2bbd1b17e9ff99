import { closeSync, openSync } from 'node:fs';
import { getXattr, setXattr } from '@folsom/host/xattr';
import { type Pickled, PickleError, pickle, unpickleDict } from '@folsom/pickle';

/**
 * An object's metadata as its file carries it: `X-Timestamp`, `name` (`/account/container/object`), and for data
 * `Content-Type`, `ETag`, `Content-Length`, `X-Object-Meta-*` and allowed headers. Strings hold one character a byte,
 * as headers do. A tombstone has `deleted: true`.
 */
export type ObjectMetadata = Record<string, string | boolean>;

const KEY = 'user.swift.metadata';
/** What XFS keeps inside the inode, and what the original writes. */
const PIECE_BYTES = 254;
const PIECES_MAX = 1024;

export class MetadataError extends Error {
  override readonly name = 'MetadataError';
}

/** @throws MetadataError when the file has no metadata or none that can be read. */
export function readMetadata(fd: number): ObjectMetadata {
  const first = getXattr(fd, KEY);
  if (first === null) throw new MetadataError('the file has no metadata');
  let bytes = first;
  if (first.length >= PIECE_BYTES) {
    const pieces = [first];
    for (let i = 1; i < PIECES_MAX; i++) {
      const piece = getXattr(fd, `${KEY}${i}`);
      if (piece === null) break;
      pieces.push(piece);
      if (piece.length < PIECE_BYTES) break;
    }
    bytes = Buffer.concat(pieces);
  }
  try {
    return plain(unpickleDict(bytes, { strings: 'latin1' }));
  } catch (error) {
    if (error instanceof PickleError) throw new MetadataError(`unreadable metadata: ${error.message}`);
    throw error;
  }
}

function plain(read: Record<string, Pickled>): ObjectMetadata {
  const metadata = read as ObjectMetadata;
  for (const key in metadata) {
    const value = read[key];
    if (typeof value === 'string' || typeof value === 'boolean') continue;
    if (typeof value === 'number' || typeof value === 'bigint') metadata[key] = String(value);
    else throw new MetadataError(`metadata ${key} is no text`);
  }
  return metadata;
}

export function writeMetadata(fd: number, metadata: ObjectMetadata): void {
  const bytes = pickle(metadata, { strings: 'latin1' });
  for (let at = 0, piece = 0; at < bytes.length; at += PIECE_BYTES, piece++) {
    setXattr(fd, piece === 0 ? KEY : `${KEY}${piece}`, bytes.subarray(at, at + PIECE_BYTES));
  }
}

export function readMetadataAt(path: string): ObjectMetadata {
  const fd = openSync(path, 'r');
  try {
    return readMetadata(fd);
  } finally {
    closeSync(fd);
  }
}

/** A value that must be text; undefined if absent. */
export const metaText = (metadata: ObjectMetadata, key: string): string | undefined => {
  const value = metadata[key];
  return typeof value === 'string' ? value : undefined;
};
