import { isFault, type RequestContext } from '@folsom/core';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { checkAction } from '@folsom/nova/instance-state';
import { systemMetadataOf } from '@folsom/nova/instances';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { begin, hostOf } from './actions.ts';
import type { Deps } from './deps.ts';
import { computeFault } from './faults.ts';
import { checkedImageMetadata } from './images.ts';
import { targetOf } from './instances.ts';
import { authorize } from './policy.ts';
import { isVolumeBacked, snapshotOfVolumes } from './volume-backed.ts';

export interface SnapshotRequest {
  name: string;
  /** Further properties of the new image, counted against the tenant's quota. */
  metadata?: Record<string, unknown>;
  /** Set for a backup: its kind and how many to keep. */
  backup?: { type: string; rotation: number };
}

/**
 * Registers an image and has the instance's host fill it; that of an instance whose first disk is a volume has nothing but
 * snapshots of its volumes.
 *
 * @throws Fault `InstanceInvalidState`, `SnapshotsNotPermitted`, `ImageMetadataLimitExceeded`
 */
export async function snapshot(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  request: SnapshotRequest,
): Promise<ImageWire> {
  const { backup } = request;
  const action = backup ? 'backup' : 'snapshot';
  authorize(deps, context, `compute:${action}`, targetOf(instance));
  checkAction(action, instance, context);
  if (!backup && !deps.config.allow_instance_snapshots) throw computeFault('SnapshotsNotPermitted');
  const properties = await checkedImageMetadata(deps, context, request.metadata ?? {});
  if (!backup && (await isVolumeBacked(deps.db.knex, instance)))
    return snapshotOfVolumes(deps, context, instance, { name: request.name, properties });
  const base = (await systemMetadataOf(deps.db.knex, instance.uuid)).image_base_image_ref;
  const image = await deps.images.create(context, {
    name: request.name,
    is_public: false,
    ...(backup ? {} : await smallestFlavor(deps, context, instance)),
    properties: {
      instance_uuid: instance.uuid,
      user_id: String(context.userId),
      image_type: action,
      ...(base === undefined ? {} : { base_image_ref: base }),
      ...(backup ? { backup_type: backup.type } : {}),
      ...properties,
    },
  });
  try {
    await begin(deps, context, instance, action, {}, ({ compute }, { record, wire }) =>
      compute.snapshot_instance(
        context,
        {
          instance: wire,
          image_id: image.id,
          image_type: action,
          backup_type: backup?.type ?? null,
          rotation: backup?.rotation ?? null,
        },
        hostOf(record),
      ),
    );
  } catch (error) {
    // Somebody else was first: the image would stay empty for ever.
    await deps.images.delete(context, image.id).catch(() => {});
    throw error;
  }
  return image;
}

/** What the new image demands: what its origin demanded, or the flavor where its disk cannot shrink. */
async function smallestFlavor(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
): Promise<{ min_ram?: number; min_disk?: number }> {
  try {
    const origin = await deps.images.show(context, instance.image_ref);
    if (origin.disk_format === 'vhd') {
      return { min_ram: instance.flavor.memory_mb, min_disk: instance.flavor.root_gb };
    }
    return { min_ram: origin.min_ram, min_disk: origin.min_disk };
  } catch (error) {
    if (isFault(error, 'ImageNotFound')) return {};
    throw error;
  }
}
