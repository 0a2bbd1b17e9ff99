import { must } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import {
  type BlockDeviceRow,
  blockDevicesOf,
  changeBlockDevice,
  RESERVED,
  removeBlockDevice,
  volumesOf,
} from '@folsom/nova/block-devices';
import { volumeStatus } from '@folsom/nova/volume-state';
import { type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { VolumeAttachment } from '../driver.ts';
import { addFault, NotOurs, nowOf } from '../seam.ts';
import type { Step } from '../steps.ts';
import {
  connectVolume,
  disconnectVolume,
  isAttachedTo,
  isReservedFor,
  presentVolume,
  unreserveVolume,
  type VolumeDevice,
  volumeService,
} from '../volumes.ts';
import { operation, STALLED_MS, type Work } from './operation.ts';

/** What the message says, and the rows as well: the volume is kept for the instance, and its mapping names both. */
export interface AttachOrder {
  volume_id: string;
  mountpoint: string;
}

interface Attachment extends Work {
  order: AttachOrder;
  volume: VolumeRow | undefined;
  device: VolumeDevice | undefined;
  attachment: VolumeAttachment | undefined;
}

/** What the steps behind `take` have. */
function taken({ volume, device }: Attachment): { volume: VolumeRow; device: VolumeDevice } {
  if (volume === undefined || device === undefined) throw new NotOurs('the volume is not to be attached');
  return { volume, device };
}

/** The volume's mapping. Where the original's API took the name, the volume's id comes into it now. */
async function deviceFor({ seam, guest, order }: Attachment): Promise<VolumeDevice> {
  const { volume_id, mountpoint } = order;
  const rows = await blockDevicesOf(seam.db.knex, guest.uuid);
  const mine = (row: BlockDeviceRow) => row.device_name === mountpoint && row.volume_id === volume_id;
  const present = rows.find(mine);
  if (present !== undefined) return { ...present, volume_id };
  const named = rows.find(row => row.device_name === mountpoint);
  if (named !== undefined && named.volume_id !== RESERVED)
    throw new NotOurs(`${mountpoint} is another volume's`);
  if (named !== undefined) {
    await changeBlockDevice(seam.db.knex, named.id, { volume_id }, nowOf(seam));
    return { ...named, volume_id };
  }
  await seam.db.knex('block_device_mapping').insert({
    instance_uuid: guest.uuid,
    device_name: mountpoint,
    volume_id,
    delete_on_termination: 0,
    deleted: 0,
    created_at: toSqlTime(nowOf(seam)),
  });
  return {
    ...must((await blockDevicesOf(seam.db.knex, guest.uuid)).find(mine), 'one of blockDevicesOf fits'),
    volume_id,
  };
}

/** An operator has a volume that the guest has plugged again (`nova-manage volume reattach`): its host has lost it. */
async function plugAgain({ seam, context, guest }: Attachment, volume: VolumeRow): Promise<void> {
  if (!isAttachedTo(volume, guest.uuid)) return;
  const device = (await volumesOf(seam.db.knex, guest.uuid)).find(row => row.volume_id === volume.id);
  if (device === undefined) return;
  await seam.driver.attachVolume(guest, await connectVolume(seam, context, guest, device, volume));
}

const steps: readonly Step<Attachment>[] = [
  {
    // Begun only while the volume is kept for this instance: a message that comes twice finds it attached, or free.
    name: 'take',
    restart: 'again',
    run: async work => {
      const volume = await volumeById(work.seam.db.knex, work.order.volume_id);
      if (volume.status === volumeStatus.inUse) await plugAgain(work, volume);
      if (!isReservedFor(volume, work.guest.uuid))
        throw new NotOurs('the volume is not kept for the instance');
      work.device = await deviceFor(work);
      work.volume = volume;
    },
  },
  {
    name: 'connect',
    restart: 'again',
    run: async work => {
      const { device, volume } = taken(work);
      work.attachment = await connectVolume(work.seam, work.context, work.guest, device, volume);
    },
    undo: async work => {
      const { seam, context, guest } = work;
      const { device, volume } = taken(work);
      await disconnectVolume(seam, context, guest, volume);
      await changeBlockDevice(seam.db.knex, device.id, { connection_info: null }, nowOf(seam));
    },
  },
  {
    name: 'plug',
    restart: 'again',
    stalledMs: STALLED_MS,
    run: ({ seam, guest, attachment }) =>
      seam.driver.attachVolume(guest, must(attachment, 'attachment is there')),
    undo: async ({ seam, guest, attachment }) => {
      if (attachment !== undefined) await seam.driver.detachVolume(guest, attachment);
    },
  },
  {
    name: 'record',
    restart: 'again',
    run: async work => {
      const { seam, context, guest, order } = work;
      const { volume } = taken(work);
      await volumeService(seam, volume).attach(context, {
        volume_id: volume.id,
        instance_uuid: guest.uuid,
        mountpoint: order.mountpoint,
      });
    },
  },
];

/**
 * Gives a volume to an instance, while that runs or stands still. It has no task: what is under way is the volume's
 * condition, by which `attachment-audit.ts` takes up what was cut short.
 */
export const attach = operation<Attachment, AttachOrder>({
  name: 'attach_volume',
  methods: ['attach_volume'],
  asked: [],
  errorState: false,
  steps,
  admits: (seam, guest) => guest.host === seam.host,
  begin: (work, order) => {
    if (order === undefined) throw new NotOurs('an attachment is asked for by its message');
    return { ...work, order, volume: undefined, device: undefined, attachment: undefined };
  },
  async done({ seam, guest, order }) {
    const { volume_id: volume, mountpoint } = order;
    seam.log.info('attached a volume', { instance: guest.uuid, volume, mountpoint });
  },
  async ended({ seam, guest, order, device }, error) {
    seam.log.error('cannot attach a volume', { instance: guest.uuid, volume: order.volume_id, error });
    await seam.db.transaction(async trx => {
      const volume = await presentVolume(trx, order.volume_id);
      if (volume !== undefined) await unreserveVolume(seam, guest.uuid, volume, trx);
      const rows = await blockDevicesOf(trx, guest.uuid);
      const mine = rows.find(
        row => row.id === device?.id || (row.device_name === order.mountpoint && row.volume_id === RESERVED),
      );
      if (mine !== undefined) await removeBlockDevice(trx, mine.id, nowOf(seam));
      await addFault(seam, guest.uuid, error, trx);
    });
    return false;
  },
});
