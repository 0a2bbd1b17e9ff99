import { type Fault, isFault, must, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { withQuota } from '@folsom/nova/quota-lock';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { volumeContract } from '@folsom/nova/rpc/volume';
import { replaceVolumeMetadata, type VolumeMetadata } from '@folsom/nova/volume-metadata';
import { type VolumeSnapshotRow, volumeSnapshotById } from '@folsom/nova/volume-snapshots';
import { volumeStatus } from '@folsom/nova/volume-state';
import { volumeTypeByName } from '@folsom/nova/volume-types';
import { insertVolume, joinVolumes, type Volume, volumeById } from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { authorize } from './policy.ts';
import { checkMetadata, limitsFor, overOf } from './quota-checks.ts';
import { integer, shown } from './values.ts';
import { visibleSnapshot } from './volume-snapshots.ts';

const GIB = 1024 ** 3;
/** What fits the column, and more than any disk. */
const SIZE_MAX = 2_147_483_647;

/** A volume somebody wants, read and checked for form. */
export interface VolumeRequest {
  /** Gigabytes, as number or digits; nothing with a snapshot means its size. */
  size: unknown;
  name: string | null;
  description: string | null;
  /** A copy of this. */
  snapshotId?: string | null;
  /** With this image's bytes on it. */
  imageId?: string | null;
  /** By name. */
  volumeType?: string | null;
  metadata?: Readonly<VolumeMetadata>;
  availabilityZone?: string | null;
}

/**
 * Accepts a volume: row, use of quota and the message that has it made are one transaction. Parallel requests never
 * pass the quota.
 *
 * @throws Fault `InvalidInput`, `InvalidSnapshot`, `SnapshotNotFound`, `VolumeTypeNotFoundByName`, `VolumeSizeTooLarge`,
 *   `VolumeLimitExceeded` and those of images
 */
export async function createVolume(
  deps: Deps,
  context: RequestContext,
  request: VolumeRequest,
): Promise<Volume> {
  authorize(deps, context, 'volume:create');
  const { knex } = deps.db;
  const { snapshotId = null, imageId = null, metadata = {} } = request;
  const type = request.volumeType ? await volumeTypeByName(knex, request.volumeType) : undefined;
  const snapshot = snapshotId === null ? undefined : await visibleSnapshot(deps, context, snapshotId);
  if (snapshot !== undefined) readyToCopy(snapshot);
  checkMetadata(await limitsFor(deps, context), metadata, { blankKeys: true });
  const size = sizeOf(request.size, snapshot);
  if (imageId !== null) await fitsImage(deps, context, imageId, size);
  const id = deps.random.uuid();
  const now = deps.clock.now();
  // Its copy is made where the snapshot is.
  const source =
    snapshot !== undefined && deps.config.snapshot_same_host
      ? await volumeById(knex, snapshot.volume_id)
      : undefined;
  const host = source?.host ?? null;
  const row = {
    id,
    size,
    host,
    user_id: context.userId,
    project_id: context.projectId,
    snapshot_id: snapshotId,
    availability_zone: request.availabilityZone ?? deps.config.storage_availability_zone,
    display_name: request.name,
    display_description: request.description,
    volume_type_id: type?.id ?? null,
  };
  const message = { volume_id: id, snapshot_id: snapshotId, image_id: imageId };
  try {
    const created = await withQuota(
      deps.db,
      context.projectId ?? '',
      deps.quotaDefaults,
      { volumes: 1, gigabytes: size },
      now,
      async (trx, send) => {
        // Whoever deletes it meanwhile was first.
        if (snapshotId !== null) readyToCopy(await volumeSnapshotById(trx, snapshotId));
        await insertVolume(trx, row, now);
        await replaceVolumeMetadata(trx, id, metadata, now);
        if (host !== null) await volumeContract.client(send).create_volume(context, message, { host });
        else await schedulerContract.client(send).create_volume(context, message);
        // As it was accepted: by the time of the answer it may be there.
        return volumeById(trx, id);
      },
      { transact: deps.outbox.transaction },
    );
    return must((await joinVolumes(knex, [created]))[0], 'joinVolumes is not empty');
  } catch (error) {
    throw quotaFault(error) ?? error;
  }
}

/** @throws Fault `InvalidSnapshot` */
function readyToCopy(snapshot: VolumeSnapshotRow): void {
  if (snapshot.status !== volumeStatus.available)
    throw novaFault('InvalidSnapshot', { reason: 'status must be available' });
}

/** @throws Fault `InvalidInput` */
function sizeOf(given: unknown, snapshot: VolumeSnapshotRow | undefined): number {
  const nothing = given === null || given === undefined || given === '' || given === 0;
  if (nothing && snapshot !== undefined) return snapshot.volume_size;
  const size = integer(given);
  if (size === undefined || size <= 0 || size > SIZE_MAX) {
    const said = given === null || given === undefined ? 'None' : shown(given).slice(0, 64);
    throw novaFault('InvalidInput', {
      reason: `Volume size '${said}' must be an integer and greater than 0`,
    });
  }
  if (snapshot !== undefined && size < snapshot.volume_size)
    throw novaFault('InvalidInput', {
      reason: `Volume size '${size}' is smaller than its snapshot (${snapshot.volume_size})`,
    });
  return size;
}

/** @throws Fault `InvalidInput`, `ImageNotFound` */
async function fitsImage(deps: Deps, context: RequestContext, imageId: string, size: number): Promise<void> {
  const image = await deps.images.show(context, imageId);
  if (Math.ceil(image.size / GIB) > size)
    throw novaFault('InvalidInput', { reason: 'Size of specified image is larger than volume size.' });
}

/** The refusal as volumes word it; undefined for any other error. */
function quotaFault(error: unknown): Fault | undefined {
  if (!isFault(error, 'OverQuota')) return undefined;
  const over = overOf(error);
  if (over === undefined) return undefined;
  return over.overs.includes('gigabytes')
    ? novaFault('VolumeSizeTooLarge')
    : novaFault('VolumeLimitExceeded', { allowed: over.limits.volumes });
}
