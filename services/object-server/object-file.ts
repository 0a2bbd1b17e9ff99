import { closeSync, existsSync, fstatSync, openSync, readdirSync } from 'node:fs';
import type { Random } from '@folsom/core';
import { must } from '@folsom/core';
import type { PathHash } from '@folsom/swift';
import {
  MetadataError,
  metaText,
  type ObjectMetadata,
  readMetadata,
  readMetadataAt,
} from '@folsom/swift/object-metadata';
import { bytesFromUtf8 } from '@folsom/swift-http';
import { FIXED_HEADERS } from './options.ts';
import { quarantine } from './quarantine.ts';

/** Where an object lives on one device. */
export interface ObjectPlace {
  /** Absolute path of the device. */
  device: string;
  partition: string;
  hash: string;
  /** `<device>/objects/<partition>/<suffix>/<hash>` */
  directory: string;
  /** `/account/container/object` as its metadata has it: one character a byte. */
  name: string;
}

export function objectPlace(
  pathHash: PathHash,
  device: string,
  partition: string,
  account: string,
  container: string,
  object: string,
): ObjectPlace {
  const hash = pathHash.hex(account, container, object);
  return {
    device,
    partition,
    hash,
    directory: `${device}/objects/${partition}/${hash.slice(-3)}/${hash}`,
    name: bytesFromUtf8(`/${account}/${container}/${object}`),
  };
}

/** What an object's directory says: which files count, by their names. */
export interface ObjectFiles {
  /** Whether there is a directory at all. */
  present: boolean;
  /** All names, newest first. */
  all: readonly string[];
  data: string | null;
  /** Only if newer than the data. */
  meta: string | null;
  /** A tombstone newer than any data. */
  tombstone: string | null;
}

const NO_FILES: ObjectFiles = { present: false, all: [], data: null, meta: null, tombstone: null };

/** Reads an object's directory; an absent one holds nothing. The newest `.ts` or `.data` decides. */
function listObject(directory: string): ObjectFiles {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return NO_FILES;
    throw error;
  }
  if (names.length === 1 && must(names[0], 'names is not empty').endsWith('.data')) {
    return {
      present: true,
      all: names,
      data: must(names[0], 'names is not empty'),
      meta: null,
      tombstone: null,
    };
  }
  names.sort().reverse();
  let meta: string | null = null;
  for (const name of names) {
    if (name.endsWith('.ts')) return { present: true, all: names, data: null, meta: null, tombstone: name };
    if (name.endsWith('.meta')) meta ??= name;
    else if (name.endsWith('.data')) return { present: true, all: names, data: name, meta, tombstone: null };
  }
  return { present: true, all: names, data: null, meta: null, tombstone: null };
}

/** The timestamp in a file's name. */
export const fileTimestamp = (name: string): string => name.slice(0, name.lastIndexOf('.'));

/** A live object, open for reading; the descriptor must be closed. */
export interface OpenObject {
  fd: number;
  file: string;
  metadata: ObjectMetadata;
  size: number;
  etag: string;
  timestamp: string;
}

export type Found =
  | { state: 'live'; object: OpenObject; files: ObjectFiles }
  /** Deleted, never there, or quarantined just now. */
  | { state: 'gone'; files: ObjectFiles; quarantined: boolean };

/**
 * Opens the newest version of an object with its metadata. One whose metadata cannot be read or whose length is not
 * what its metadata says is moved to quarantine, for replication to bring a good copy.
 */
export function openObject(place: ObjectPlace, random: Random, onQuarantine: (why: string) => void): Found {
  for (let attempt = 0; ; attempt++) {
    const files = listObject(place.directory);
    if (files.data === null) return { state: 'gone', files, quarantined: false };
    const file = `${place.directory}/${files.data}`;
    let fd: number;
    try {
      fd = openSync(file, 'r');
    } catch (error) {
      // replaced between the listing and here
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < 5) continue;
      throw error;
    }
    try {
      const metadata = readMetadata(fd);
      const { size } = fstatSync(fd);
      const etag = metaText(metadata, 'ETag');
      const timestamp = metaText(metadata, 'X-Timestamp');
      if (etag === undefined || timestamp === undefined)
        throw new MetadataError('metadata without ETag or X-Timestamp');
      const length = metaText(metadata, 'Content-Length');
      if (length !== undefined && Number(length) !== size) {
        throw new MetadataError(`Content-Length of ${length} does not match file size of ${size}`);
      }
      if (files.meta !== null) overlay(metadata, readMetadataAt(`${place.directory}/${files.meta}`));
      const object = {
        fd,
        file,
        metadata,
        size,
        etag,
        timestamp: metaText(metadata, 'X-Timestamp') ?? timestamp,
      };
      return { state: 'live', object, files };
    } catch (error) {
      closeSync(fd);
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < 5) continue;
      if (!(error instanceof MetadataError)) throw error;
      onQuarantine(error.message);
      quarantine(place.device, file, random);
      return { state: 'gone', files, quarantined: true };
    }
  }
}

/** Posted metadata replaces everything but what belongs to the bytes themselves. */
function overlay(metadata: ObjectMetadata, posted: ObjectMetadata): void {
  for (const key of Object.keys(metadata)) if (!FIXED_HEADERS.has(key.toLowerCase())) delete metadata[key];
  Object.assign(metadata, posted);
}

/** What a writer needs to know of what is there already. */
export interface CurrentObject {
  files: ObjectFiles;
  /** Of a live object, as its metadata has it; null if there is none. */
  timestamp: string | null;
  deleteAt: number;
  metadata: ObjectMetadata | null;
}

export function currentObject(
  place: ObjectPlace,
  random: Random,
  onQuarantine: (why: string) => void,
): CurrentObject {
  // Most of what is written is new: looking is far cheaper than being thrown an error.
  if (!existsSync(place.directory)) return { files: NO_FILES, timestamp: null, deleteAt: 0, metadata: null };
  const found = openObject(place, random, onQuarantine);
  if (found.state === 'gone') return { files: found.files, timestamp: null, deleteAt: 0, metadata: null };
  closeSync(found.object.fd);
  const { metadata, timestamp } = found.object;
  return { files: found.files, timestamp, deleteAt: deleteAt(metadata), metadata };
}

/** Whether the object's time has come. */
export function isExpired(metadata: ObjectMetadata, nowSeconds: number): boolean {
  const at = deleteAt(metadata);
  return at > 0 && at <= nowSeconds;
}

/** `X-Delete-At` in seconds; 0 if there is none. */
const deleteAt = (metadata: ObjectMetadata): number => {
  const text = metaText(metadata, 'X-Delete-At');
  const value = text === undefined ? 0 : Number(text);
  return Number.isFinite(value) ? Math.trunc(value) : 0;
};
