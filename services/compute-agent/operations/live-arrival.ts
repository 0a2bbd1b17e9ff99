import { adminContext, isFault, type RequestContext } from '@folsom/core';
import { moveFloatingIps } from '@folsom/nova/floating-ips';
import { instanceWire } from '@folsom/nova/instance-records';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { computeContract } from '@folsom/nova/rpc/compute';
import type { InstanceWire } from '@folsom/nova/rpc/wire';
import type { Guest, TargetCheck, VolumeDisk, Volumes } from '../driver.ts';
import { type ComputeSeam, change, guestOf, networked, nowOf, powerStateOf, presentGuest } from '../seam.ts';
import { attachmentsOf, connectVolumes, disconnectVolumes, reachVolumes } from '../volumes.ts';
import { migrationIn, UNDER_WAY } from './resize-shared.ts';

/** What the destination of a live migration does, and the checks before it. */

/** On the destination: whether the guest could come here; asks the source for its part. */
export async function checkAsDestination(
  seam: ComputeSeam,
  context: RequestContext,
  args: { instance: InstanceWire; block_migration: boolean; disk_over_commit: boolean },
): Promise<null> {
  const { block_migration, disk_over_commit } = args;
  const check = await seam.driver.checkAsTarget({ block_migration, disk_over_commit });
  try {
    await computeContract
      .client(seam.bus)
      .check_can_live_migrate_source(
        context,
        { instance: args.instance, dest_check_data: { ...check } },
        { host: args.instance.host ?? '' },
      );
  } finally {
    await seam.driver.endTargetCheck(check);
  }
  return null;
}

/** On the source: whether the disks are where this kind of migration needs them. */
export async function checkAsSource(
  seam: ComputeSeam,
  uuid: string,
  check: Record<string, unknown>,
): Promise<null> {
  await seam.driver.checkAsSource(await guestOf(seam, uuid), check as unknown as TargetCheck);
  return null;
}

/** On the destination: network, filters, volumes and, for a block migration, empty disks. */
export async function prepareArrival(
  seam: ComputeSeam,
  context: RequestContext,
  args: { instance: InstanceWire; block_migration: boolean; disk: unknown },
): Promise<{ volumes: VolumeDisk[] } | null> {
  const guest = await guestOf(seam, args.instance.uuid);
  const network = await seam.network.instanceNetworkInfo(context, networked(guest, seam.host));
  await seam.network.setupOnHost(context, networked(guest), seam.host);
  const disks = args.block_migration ? String(args.disk) : null;
  const signal = new AbortController().signal;
  const volumes = await reachVolumes(seam, context, guest);
  const reached = await seam.driver.prepareArrival({ context, guest, network, volumes, signal }, disks);
  return volumes.length === 0 ? null : { volumes: reached };
}

/** On the destination: the guest runs here now. Safe to repeat. */
export async function finishArrival(seam: ComputeSeam, context: RequestContext, uuid: string): Promise<null> {
  const guest = await guestOf(seam, uuid);
  await seam.network.setupOnHost(context, networked(guest), seam.host);
  const network = await seam.network.instanceNetworkInfo(context, networked(guest, seam.host));
  await seam.driver.finishArrival(guest, network, await connectVolumes(seam, context, guest));
  await change(
    seam,
    context,
    guest,
    {
      host: seam.host,
      power_state: await powerStateOf(seam, guest),
      vm_state: vmState.active,
      task_state: null,
    },
    { host: guest.host, expectedTaskState: [taskState.migrating, null] },
  );
  await moveFloatingIps(seam.db, uuid, seam.host, nowOf(seam));
  // Once more, now that the database says where the guest is: DHCP follows that.
  await seam.network.setupOnHost(context, networked(guest, seam.host), seam.host);
  seam.resources.changed();
  return null;
}

/** On the destination: what was prepared for a guest that did not come, or what was sent of it, goes again. */
export async function undoArrival(seam: ComputeSeam, context: RequestContext, uuid: string): Promise<void> {
  const guest = await guestOf(seam, uuid, { readDeleted: 'yes' });
  if (guest.host === seam.host) return;
  // The message is late: by now the guest is on its way here once more.
  const next = await migrationIn(seam, uuid, UNDER_WAY);
  if (next?.dest_compute === seam.host) return;
  const volumes = await volumesHere(seam, context, guest);
  if (await hasFilesOf(seam, context, guest)) {
    await seam.driver.forgetMoved(guest);
    await seam.driver.disconnectVolumes(guest, volumes);
  } else await seam.driver.destroy(guest, [], volumes);
  await disconnectVolumes(seam, context, guest).catch(error =>
    seam.log.warn('a connection could not be given up', { instance: uuid, error }),
  );
  await seam.network.setupOnHost(context, networked(guest), seam.host, true).catch(error => {
    if (!isFault(error, 'InstanceNotFound')) throw error;
  });
}

/**
 * Whether a guest's files here are those that it runs of on its own host: both have one instances_path. A driver that cannot tell
 * shares none; where that host does not answer nothing is known, and the message comes again.
 */
async function hasFilesOf(seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<boolean> {
  if (guest.deleted || guest.host === null) return false;
  const request = { block_migration: false, disk_over_commit: false };
  const check = await seam.driver.checkAsTarget(request).catch(error => {
    if (isFault(error, 'NotImplementedError')) return undefined;
    throw error;
  });
  if (check === undefined) return false;
  const instance = instanceWire(guest, seam.settings.instance_name_template);
  try {
    await computeContract
      .client(seam.bus)
      .check_can_live_migrate_source(
        context,
        { instance, dest_check_data: { ...check } },
        { host: guest.host },
      );
    return true;
  } catch (error) {
    if (!isFault(error, 'InvalidSharedStorage') && !isFault(error, 'InstanceNotFound')) throw error;
    return false;
  } finally {
    await seam.driver.endTargetCheck(check);
  }
}

/** What this host may be connected to, as well as that can be known. */
const volumesHere = (seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<Volumes> =>
  reachVolumes(seam, context, guest).catch(error => {
    seam.log.warn('the volumes of a guest that left cannot be asked for', { instance: guest.uuid, error });
    return attachmentsOf(seam.db, guest.uuid);
  });

/** Instances in migration looked at in one run. */
const PAGE = 500;

/**
 * On the destination: guests that run here although the database still has them migrating from elsewhere. Their source
 * died before it could say so; what it has left of them is its to remove once it is back.
 */
export async function adoptArrivals(seam: ComputeSeam): Promise<void> {
  const rows = (await seam.db
    .knex('instances')
    .where({ deleted: 0, task_state: taskState.migrating })
    .whereNot('host', seam.host)
    .limit(PAGE)
    .select('uuid')) as { uuid: string }[];
  if (rows.length === 0) return;
  const present = new Set(await seam.driver.listGuests());
  for (const { uuid } of rows) {
    const guest = await presentGuest(seam, uuid);
    if (guest === undefined || !present.has(guest.name)) continue;
    // While it is on its way it stands still here.
    if ((await powerStateOf(seam, guest)) !== powerState.running) continue;
    const context = adminContext();
    await finishArrival(seam, context, uuid);
    seam.log.warn('took over a guest whose migration nobody finished', { instance: uuid, from: guest.host });
    const instance = instanceWire(guest, seam.settings.instance_name_template);
    await computeContract
      .client(seam.bus)
      .rollback_live_migration_at_destination(context, { instance }, { host: guest.host ?? '' });
  }
}
