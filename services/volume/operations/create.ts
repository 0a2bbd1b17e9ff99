import type { RequestContext } from '@folsom/core';
import type { CreateVolumeArgs } from '@folsom/nova/rpc/volume';
import { volumeSnapshotById } from '@folsom/nova/volume-snapshots';
import { volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, tryUpdateVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import { diskOf, nowOf, presentVolume, snapshotDiskOf, step, type VolumeSeam } from '../seam.ts';
import { fillFromImage } from './image.ts';
import { failed, repeatable } from './operation.ts';

/**
 * Makes a volume: its disk, empty or a snapshot's copy, its export, and an image's bytes on it. Run again it goes on
 * where it was; a volume that is there already, or gone, is left alone.
 */
export const createVolume = (
  seam: VolumeSeam,
  context: RequestContext,
  args: CreateVolumeArgs,
): Promise<void> =>
  seam.inTurn(args.volume_id, async () => {
    const id = args.volume_id;
    const found = await presentVolume(seam, id);
    if (found === undefined) return;
    const { creating, downloading } = volumeStatus;
    if (found.status !== creating && found.status !== downloading) return;
    if (found.host !== null && found.host !== seam.host) return;
    // Only now is it ours: whoever deletes it from here on finds a host.
    const ours = await tryUpdateVolume(seam.db.knex, id, { host: seam.host }, nowOf(seam), {
      host: found.host,
    });
    if (!ours) return;
    await repeatable(seam, id, async () => {
      const row = await volumeById(seam.db.knex, id);
      if (row.status === creating) await seam.notify(context, row, 'create.start');
      try {
        await build(seam, context, args, row);
      } catch (error) {
        await failed(seam, error, () => tryMoveVolume(seam.db.knex, id, 'createFailed', nowOf(seam)));
      }
    });
  });

async function build(
  seam: VolumeSeam,
  context: RequestContext,
  args: CreateVolumeArgs,
  row: VolumeRow,
): Promise<void> {
  const { driver, db } = seam;
  const { id } = row;
  const part = <T>(name: string, work: () => Promise<T>) => step(seam, 'create', name, id, work);
  let disk = diskOf(seam, row);
  if (row.status === volumeStatus.creating) {
    await part('disk', async () => {
      if (args.snapshot_id === null) return driver.create(disk);
      const snapshot = await volumeSnapshotById(db.knex, args.snapshot_id);
      return driver.copySnapshot(disk, snapshotDiskOf(seam, snapshot));
    });
    // The password is written down before it counts anywhere.
    await part('login', async () => {
      if (!driver.asksForLogin || !seam.settings.iscsi_chap || disk.provider_auth !== null) return;
      disk = { ...disk, provider_auth: newLogin(seam) };
      await tryUpdateVolume(db.knex, id, { provider_auth: disk.provider_auth }, nowOf(seam));
    });
    await part('export', async () => {
      const facts = await driver.ensureExport(disk);
      await tryUpdateVolume(db.knex, id, { ...facts }, nowOf(seam));
    });
    const move = args.image_id === null ? 'created' : 'download';
    await part('row', () => tryMoveVolume(db.knex, id, move, nowOf(seam), { launched_at: nowOf(seam) }));
    await seam.notify(context, await volumeById(db.knex, id), 'create.end');
  }
  if (args.image_id === null) return;
  const imageId = args.image_id;
  await part('image', () => fillFromImage(seam, context, imageId, disk));
  await part('filled', () => tryMoveVolume(db.knex, id, 'downloaded', nowOf(seam)));
}

const newLogin = ({ world: { random } }: VolumeSeam): string => `CHAP ${random.hex(20)} ${random.hex(32)}`;
