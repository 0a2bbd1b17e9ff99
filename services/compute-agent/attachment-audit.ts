import { adminContext } from '@folsom/core';
import { fromSqlTime } from '@folsom/db';
import { removeBlockDevice } from '@folsom/nova/block-devices';
import { vmState } from '@folsom/nova/instance-state';
import { attachStatus, volumeStatus } from '@folsom/nova/volume-state';
import { attach } from './operations/attach.ts';
import { detach } from './operations/detach.ts';
import { perform } from './operations/operation.ts';
import { type ComputeSeam, isPreempted, nowOf } from './seam.ts';

/** Mappings looked at in one run. */
const PAGE = 500;

interface Found {
  id: number;
  device_name: string;
  volume_id: string;
  instance_uuid: string;
  status: string;
  attach_status: string | null;
  owner: string | null;
  changed_at: unknown;
}

/**
 * Attachments and detachments that were cut short, or whose message was lost: the volume's condition says what is under
 * way, and its mapping names the rest. `olderThanMs` keeps away from what may still wait in a queue; to do a thing twice
 * does no harm.
 */
export async function takeUpAttachments(seam: ComputeSeam, olderThanMs: number): Promise<void> {
  const before = nowOf(seam) - olderThanMs;
  for (const found of await unfinished(seam)) {
    const { instance_uuid: uuid, volume_id } = found;
    if (seam.working.has(uuid) || seam.awaited.has(uuid)) continue;
    if (found.changed_at !== null && (fromSqlTime(found.changed_at as string) ?? 0) > before) continue;
    seam.log.warn('found a volume on its way', { instance: uuid, volume: volume_id, status: found.status });
    try {
      await takeUp(seam, found);
    } catch (error) {
      if (!isPreempted(error))
        seam.log.error('cannot finish with a volume', { instance: uuid, volume: volume_id, error });
    }
  }
}

/** Of mappings of this host's instances, those whose volume is between two conditions, or another's by now. */
const unfinished = ({ db, host }: ComputeSeam): Promise<Found[]> =>
  db
    .knex('block_device_mapping as d')
    .join('volumes as v', 'v.id', 'd.volume_id')
    .join('instances as i', 'i.uuid', 'd.instance_uuid')
    .where({ 'i.host': host, 'i.deleted': 0, 'd.deleted': 0, 'v.deleted': 0 })
    .whereNull('i.task_state')
    .whereNot('i.vm_state', vmState.building)
    .where(
      query =>
        void query
          .where(
            own =>
              void own
                .whereIn('v.status', [volumeStatus.attaching, volumeStatus.detaching])
                .whereRaw('v.instance_uuid = i.uuid'),
          )
          .orWhere(
            left => void left.where('v.status', volumeStatus.available).whereNotNull('d.connection_info'),
          ),
    )
    .orderBy('d.id')
    .limit(PAGE)
    .select(
      'd.id',
      'd.device_name',
      'd.volume_id',
      'd.instance_uuid',
      'v.status',
      'v.attach_status',
      'v.instance_uuid as owner',
      'v.updated_at as changed_at',
    );

async function takeUp(seam: ComputeSeam, found: Found): Promise<void> {
  const { instance_uuid: uuid, volume_id, device_name: mountpoint } = found;
  const context = adminContext();
  if (found.status === volumeStatus.attaching)
    return perform(seam, attach, context, uuid, { volume_id, mountpoint });
  if (found.status === volumeStatus.detaching) return perform(seam, detach, context, uuid, { volume_id });
  // Detached to its last step but one: the guest has let go of it, nova-volume knows, only the mapping was left.
  if (found.attach_status !== attachStatus.attached)
    await removeBlockDevice(seam.db.knex, found.id, nowOf(seam));
}
