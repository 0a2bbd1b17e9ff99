import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '@folsom/core';
import { checkImageFile, toolFormat } from '@folsom/host/image-format';
import { convertDisk } from '@folsom/host/qemu-img';
import { novaFault } from '@folsom/nova/faults';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, volumeById } from '@folsom/nova/volumes';
import { type Disk, GIB } from '../driver.ts';
import { diskOf, nowOf, presentVolume, step, type VolumeSeam } from '../seam.ts';
import { failed, repeatable } from './operation.ts';

/** Formats whose bytes are the disk itself. */
const PLAIN: ReadonlySet<string | null> = new Set([null, 'raw', 'ami', 'aki', 'ari', 'iso']);

/** Puts an image's disk onto a volume. What is packed is unpacked by the format it is stored as, never by a guess. */
export async function fillFromImage(
  seam: VolumeSeam,
  context: RequestContext,
  imageId: string,
  disk: Disk,
): Promise<void> {
  const image = await seam.images.show(context, imageId);
  if (PLAIN.has(image.disk_format)) {
    await seam.driver.write(disk, await seam.images.download(context, imageId));
    return;
  }
  const { settings } = seam;
  const parent = settings.volume_tmp_dir ?? join(settings.state_path, 'volume-images');
  await mkdir(parent, { recursive: true, mode: 0o711 });
  const folder = await mkdtemp(join(parent, `${disk.name}-`));
  try {
    await seam.driver.write(disk, createReadStream(await unpacked(seam, context, image, disk, folder)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Downloads a packed image and unpacks it; gives the file. @throws Fault `ImageUnacceptable`, `InvalidVolume` */
async function unpacked(
  seam: VolumeSeam,
  context: RequestContext,
  image: ImageWire,
  disk: Disk,
  folder: string,
): Promise<string> {
  const packed = join(folder, 'image');
  const most = disk.size * GIB;
  const tooLarge = () => novaFault('InvalidVolume', { reason: 'the image is larger than the volume' });
  let size = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > most) done(tooLarge());
      else done(null, chunk);
    },
  });
  const body = await seam.images.download(context, image.id);
  await pipeline(body, counter, createWriteStream(packed, { mode: 0o600 }));
  const header = await checkImageFile(packed, image.disk_format, image.id);
  const format = toolFormat(header.format);
  if (format === 'raw') return packed;
  if ((header.virtualSize ?? 0) > most) throw tooLarge();
  const to = join(folder, 'disk');
  await convertDisk({ from: packed, fromFormat: format, to, toFormat: 'raw', maxBytes: most });
  return to;
}

/** Makes an image of a volume. Whatever happens, the volume is as it was before. */
export const copyVolumeToImage = (
  seam: VolumeSeam,
  context: RequestContext,
  { volume_id: id, image_id: imageId }: { volume_id: string; image_id: string },
): Promise<void> =>
  seam.inTurn(id, async () => {
    const found = await presentVolume(seam, id);
    if (found === undefined || found.status !== volumeStatus.uploading || found.host !== seam.host) return;
    await repeatable(seam, id, async () => {
      try {
        await step(seam, 'upload', 'image', id, () => upload(seam, context, id, imageId));
      } catch (error) {
        await failed(seam, error, () => uploadEnded(seam, id));
      }
      await step(seam, 'upload', 'row', id, () => uploadEnded(seam, id));
    });
  });

async function upload(seam: VolumeSeam, context: RequestContext, id: string, imageId: string): Promise<void> {
  const image = await seam.images.show(context, imageId);
  // A life before this one has got that far, or its owner does not want it any more.
  if (image.status !== 'queued') return;
  const disk = diskOf(seam, await volumeById(seam.db.knex, id));
  const facts = {
    disk_format: image.disk_format ?? 'raw',
    container_format: image.container_format ?? 'bare',
    size: disk.size * GIB,
  };
  await seam.images.upload(context, imageId, facts, await seam.driver.read(disk));
}

/** The volume is its owner's or its instance's again. */
export async function uploadEnded(seam: VolumeSeam, id: string): Promise<void> {
  const { knex } = seam.db;
  if (!(await tryMoveVolume(knex, id, 'uploaded', nowOf(seam))))
    await tryMoveVolume(knex, id, 'uploadedInUse', nowOf(seam));
}
