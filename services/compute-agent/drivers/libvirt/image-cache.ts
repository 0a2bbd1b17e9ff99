import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import {
  chmod,
  constants,
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, isFault, keyedMutex, type Logger, type Random, type RequestContext } from '@folsom/core';
import { checkImageFile, isExtFilesystem, toolFormat } from '@folsom/host/image-format';
import {
  convertDisk,
  diskFacts,
  formatFile,
  formatFileWith,
  growExtFilesystem,
  RAW_BASE,
  UPLOADED_BASE,
} from '@folsom/host/qemu-img';
import type { ImageClient } from '@folsom/nova/image-transfer';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { computeFault } from '../../faults.ts';
import { PLAIN_MKFS } from './disk-rules.ts';

/**
 * Images of the image service as raw files under `_base`, shared by all guests of this host and never written to
 * again. Every file comes into being under another name and is renamed when it is whole, so a crash leaves no half
 * image that looks like one.
 */
export interface ImageCache {
  /**
   * The image as a raw file; `maxBytes` is the largest disk its user may have (0: any). One that is to stay
   * `asUploaded` is inspected in the same way, and then left as it is if it is qcow2.
   */
  root(
    context: RequestContext,
    image: ImageWire,
    maxBytes: number,
    signal: AbortSignal,
    asUploaded?: boolean,
  ): Promise<CachedBase>;
  /** A bare filesystem image made as large as the disk it will be; other images as they are. */
  grown(base: string, image: ImageWire, sizeBytes: number): Promise<string>;
  /** A kernel or ramdisk. */
  file(context: RequestContext, imageId: string, signal: AbortSignal): Promise<string>;
  /** An empty swap area, or what a command of `virt_mkfs` makes of an empty file. */
  blank(kind: 'swap' | { mkfs: string }, sizeMb: number): Promise<string>;
  /**
   * Removes what nobody used for as long as `ages` (milliseconds) say; answers what went. Kept are files named in
   * `standing`, on which guests' disks stand, and those of images in `wanted`.
   */
  sweep(
    wanted: { images: ReadonlySet<string>; standing: ReadonlySet<string> },
    ages: { original: number; grown: number },
  ): Promise<string[]>;
}

/** A file of the cache that disks stand on. */
export interface CachedBase {
  path: string;
  format: 'raw' | 'qcow2';
  /** Bytes that its guest sees. */
  size: number;
}

/** What an image may become where the flavor sets no size of the disk; 0: no bound. */
export interface SizelessBounds {
  virtualGigabytes: number;
  /** How often the bytes of its file. */
  expansion: number;
}

export interface ImageCacheOptions {
  directory: string;
  sizeless: SizelessBounds;
  images: ImageClient;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Kernels and ramdisks larger than this are mistakes. */
const BOOT_FILE_BYTES_MAX = 512 * 1024 ** 2;
const GIGABYTE = 1024 ** 3;
/** Small disks are no danger, however little their images hold. */
const EXPANSION_IGNORED_BYTES = 256 * 1024 ** 2;
const LABEL = 'ephemeral0';

/** Names are made here from a fixed set of forms; nothing a user chose gets into one unhashed. */
const cacheName = (imageId: string): string => createHash('sha1').update(imageId).digest('hex');

const blankName = (kind: 'swap' | { mkfs: string }, sizeMb: number): string => {
  if (kind === 'swap') return `swap_${sizeMb}`;
  return `ephemeral_${sizeMb}${kind.mkfs === PLAIN_MKFS ? '' : `_${cacheName(kind.mkfs).slice(0, 10)}`}`;
};

export function imageCache(options: ImageCacheOptions): ImageCache {
  const { directory, images, random, log } = options;
  const inTurn = keyedMutex();

  const present = async (path: string): Promise<boolean> => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return false;
    const now = new Date(options.clock.now());
    await utimes(path, now, now);
    return true;
  };

  /** Makes `name` with `build` unless it is there; one builder at a time. */
  const once = (name: string, build: (path: string) => Promise<void>): Promise<string> =>
    inTurn(name, async () => {
      const path = join(directory, name);
      if (await present(path)) return path;
      await mkdir(directory, { recursive: true, mode: 0o711 });
      const part = `${path}.${random.hex(8)}.part`;
      try {
        await build(part);
        await chmod(part, 0o444);
        await rename(part, path);
      } finally {
        await rm(part, { force: true });
      }
      return path;
    });

  /** @throws Fault where a disk of so many bytes may not come of an image file of `fileBytes` */
  const checkSize = (image: ImageWire, diskBytes: number, fileBytes: number, maxBytes: number): void => {
    if (maxBytes > 0) {
      if (diskBytes > maxBytes) throw computeFault('ImageTooLarge');
      return;
    }
    const { virtualGigabytes, expansion } = options.sizeless;
    const largest = Math.min(
      virtualGigabytes > 0 ? virtualGigabytes * GIGABYTE : Infinity,
      expansion > 0 ? Math.max(EXPANSION_IGNORED_BYTES, fileBytes * expansion) : Infinity,
    );
    if (diskBytes <= largest) return;
    throw computeFault('ImageUnacceptable', {
      image_id: image.id,
      reason:
        `its disk would have ${diskBytes} bytes; a flavor without a size of the disk allows ${largest} ` +
        `for a file of ${fileBytes}`,
    });
  };

  const download = async (
    context: RequestContext,
    imageId: string,
    path: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<void> => {
    let size = 0;
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        if (maxBytes > 0 && size > maxBytes) done(computeFault('ImageTooLarge'));
        else done(null, chunk);
      },
    });
    const body = await images.download(context, imageId, signal);
    await pipeline(body, counter, createWriteStream(path, { mode: 0o600 }), { signal });
    const file = await open(path, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  };

  /** Puts a plain disk in the place of an image in a format. */
  const unpack = async (
    image: ImageWire,
    part: string,
    format: string,
    virtualSize: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const converted = `${part}.raw`;
    try {
      await convertDisk({
        from: part,
        fromFormat: format,
        to: converted,
        toFormat: 'raw',
        maxBytes: Math.max(virtualSize, 1),
        signal,
      });
      // What came out is a plain disk: its bytes are the guest's and are not looked at again.
      await rename(converted, part);
    } catch (error) {
      if (!isFault(error, 'ProcessExecutionError')) throw error;
      log.warn('an image cannot be converted', { image: image.id, error });
      throw computeFault('ImageUnacceptable', { image_id: image.id, reason: 'it cannot be converted' });
    } finally {
      await rm(converted, { force: true });
    }
  };

  return {
    root: async (context, image, maxBytes, signal, asUploaded = false) => {
      const keep = asUploaded && image.disk_format === 'qcow2';
      const base = keep ? UPLOADED_BASE : RAW_BASE;
      const path = await once(`${cacheName(image.id)}${base.suffix}`, async part => {
        const plain = image.disk_format !== 'qcow2';
        const most = maxBytes > 0 ? maxBytes : options.sizeless.virtualGigabytes * GIGABYTE;
        await download(context, image.id, part, plain ? most : 0, signal);
        const header = await checkImageFile(part, image.disk_format, image.id);
        const fileBytes = (await stat(part)).size;
        const virtualSize = header.virtualSize ?? fileBytes;
        checkSize(image, virtualSize, fileBytes, maxBytes);
        // What has been inspected stands below the guest's disk, for reading only: it cannot become anything else.
        if (keep) return;
        if (toolFormat(header.format) === 'raw') {
          // The footer of a fixed VHD is no part of the disk.
          if (virtualSize < fileBytes) await truncate(part, virtualSize);
          return;
        }
        await unpack(image, part, toolFormat(header.format), virtualSize, signal);
      });
      const { virtualSize: size } = await diskFacts(path, base.format);
      // Another tenant's flavor may have allowed more than this one does.
      checkSize(image, size, image.size, maxBytes);
      return { path, format: base.format, size };
    },

    grown: async (base, image, sizeBytes) => {
      const bare = image.disk_format === 'ami' || image.container_format === 'ami';
      if (!bare || (await stat(base)).size >= sizeBytes || !(await isExtFilesystem(base))) return base;
      const name = `${cacheName(image.id)}_${sizeBytes}`;
      return once(name, async part => {
        await copyFile(base, part, constants.COPYFILE_FICLONE);
        await chmod(part, 0o600);
        await truncate(part, sizeBytes);
        if (!(await growExtFilesystem(part))) {
          log.warn('cannot grow the filesystem of an image', { image: image.id });
          await copyFile(base, part, constants.COPYFILE_FICLONE);
        }
      });
    },

    file: (context, imageId, signal) =>
      once(`boot_${cacheName(imageId)}`, part =>
        download(context, imageId, part, BOOT_FILE_BYTES_MAX, signal),
      ),

    blank: (kind, sizeMb) =>
      once(blankName(kind, sizeMb), async part => {
        await (await open(part, 'w', 0o600)).close();
        await truncate(part, sizeMb * 1024 ** 2);
        if (kind === 'swap') await formatFile(part, 'swap', '');
        else if (!(await formatFileWith(part, kind.mkfs, LABEL))) {
          log.warn('an ephemeral disk has no file system: there is no such program here', {
            command: kind.mkfs,
          });
        }
      }),

    sweep: async ({ images: wanted, standing }, ages) => {
      const kept = new Set([...wanted].map(cacheName));
      const removed: string[] = [];
      for (const name of await readdir(directory).catch(() => [])) {
        const image = /^(?:boot_)?([0-9a-f]{40})(?:\.qcow2)?$/.exec(name)?.[1];
        if (standing.has(name) || (image !== undefined && kept.has(image))) continue;
        const path = join(directory, name);
        const found = await stat(path).catch(() => undefined);
        const age = image === undefined ? ages.grown : ages.original;
        if (found === undefined || options.clock.now() - found.mtimeMs < age) continue;
        await inTurn(name, () => rm(path, { force: true }));
        removed.push(name);
      }
      return removed;
    },
  };
}
