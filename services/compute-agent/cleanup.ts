import { adminContext } from '@folsom/core';
import { instanceName, joinInstances } from '@folsom/nova/instance-records';
import { vmState } from '@folsom/nova/instance-state';
import { instanceFrom } from '@folsom/nova/instances';
import { deletedAfterMove } from '@folsom/nova/migrations';
import type { Guest } from './driver.ts';
import { terminateInstance } from './operations/delete.ts';
import { asGuest, type ComputeSeam, nowOf } from './seam.ts';
import { attachmentsOf } from './volumes.ts';

/** Deleted instances looked at in one run. */
const PAGE = 500;
/** A host that was away longer is put in order by its operator. */
const MOVED_MS = 86_400_000;

/** Guests that still run although their instance was deleted: logged or removed, as configured. */
export async function cleanRunningDeleted(seam: ComputeSeam): Promise<void> {
  const action = seam.settings.running_deleted_instance_action;
  if (action === 'noop') return;
  const present = new Set(await seam.driver.listGuests());
  if (present.size === 0) return;
  const rows = await seam.db
    .knex('instances')
    .where({ deleted: 1, host: seam.host })
    .orderBy('id', 'desc')
    .limit(PAGE);
  const template = seam.settings.instance_name_template;
  const zombies = rows.map(instanceFrom).filter(row => present.has(instanceName(template, row)));
  for (const record of await joinInstances(seam.db.knex, zombies)) {
    const age = nowOf(seam) - (record.deleted_at ?? 0);
    if (age < seam.settings.running_deleted_instance_timeout * 1000) continue;
    seam.log.warn('a deleted instance is still on this host', { instance: record.uuid, action });
    if (action === 'reap')
      await seam.driver.destroy(asGuest(seam, record), [], await attachmentsOf(seam.db, record.uuid));
  }
}

/**
 * What a move has left here of an instance that was deleted meanwhile, if the host that deleted it could not tell us.
 * `seen` are those looked at before.
 */
export async function cleanDeletedAfterMove(seam: ComputeSeam, seen: Set<string>): Promise<void> {
  const since = nowOf(seam) - MOVED_MS;
  for (const uuid of await deletedAfterMove(seam.db.knex, seam.host, since, PAGE)) {
    if (seen.has(uuid)) continue;
    await terminateInstance(seam, adminContext(), uuid);
    seen.add(uuid);
  }
}

/** Soft-deleted instances whose time is up are deleted for good. */
export async function reclaimSoftDeleted(seam: ComputeSeam, guests: readonly Guest[]): Promise<void> {
  const interval = seam.settings.reclaim_instance_interval;
  if (interval <= 0) return;
  for (const guest of guests) {
    if (guest.vm_state !== vmState.softDeleted) continue;
    const since = guest.deleted_at ?? guest.updated_at ?? 0;
    if (nowOf(seam) - since < interval * 1000) continue;
    seam.log.info('reclaiming a deleted instance', { instance: guest.uuid });
    await terminateInstance(seam, adminContext(), guest.uuid);
  }
}
