import { removeBlockDevice, volumesOf } from '@folsom/nova/block-devices';
import { volumeStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import { addFault, NotOurs, nowOf } from '../seam.ts';
import type { Step } from '../steps.ts';
import {
  attachmentOf,
  disconnectVolume,
  isAttachedTo,
  type VolumeDevice,
  volumeService,
} from '../volumes.ts';
import { operation, STALLED_MS, type Work } from './operation.ts';

interface Detachment extends Work {
  volumeId: string;
  volume: VolumeRow | undefined;
  /** Undefined where a volume is the instance's without a mapping that says so. */
  device: VolumeDevice | undefined;
  /** Whether the guest has let go of it: from then on it is not the guest's again. */
  unplugged: boolean;
}

function taken({ volume }: Detachment): VolumeRow {
  if (volume === undefined) throw new NotOurs('the volume is not to be detached');
  return volume;
}

const steps: readonly Step<Detachment>[] = [
  {
    name: 'take',
    restart: 'again',
    run: async work => {
      const { seam, guest, volumeId } = work;
      const volume = await volumeById(seam.db.knex, volumeId);
      if (volume.status !== volumeStatus.detaching || !isAttachedTo(volume, guest.uuid))
        throw new NotOurs('the volume is not to be detached from the instance');
      work.volume = volume;
      work.device = (await volumesOf(seam.db.knex, guest.uuid)).find(row => row.volume_id === volumeId);
    },
  },
  {
    // It is nobody else's before the guest has let go of it and the host knows nothing of it any more.
    name: 'unplug',
    restart: 'again',
    stalledMs: STALLED_MS,
    run: async work => {
      const attachment = work.device && attachmentOf(work.device);
      if (attachment !== undefined) await work.seam.driver.detachVolume(work.guest, attachment);
      work.unplugged = true;
    },
  },
  {
    name: 'disconnect',
    restart: 'again',
    run: work => disconnectVolume(work.seam, work.context, work.guest, taken(work)),
  },
  {
    name: 'record',
    restart: 'again',
    run: async work => {
      const { seam, context, device } = work;
      const volume = taken(work);
      await volumeService(seam, volume).detach(context, volume.id);
      if (device !== undefined) await removeBlockDevice(seam.db.knex, device.id, nowOf(seam));
    },
  },
];

/**
 * Takes a volume from an instance. A guest that does not let go of it keeps it; what fails afterwards is done again by
 * `attachment-audit.ts`, until when the volume stays `detaching`.
 */
export const detach = operation<Detachment, { volume_id: string }>({
  name: 'detach_volume',
  methods: ['detach_volume'],
  asked: [],
  errorState: false,
  steps,
  admits: (seam, guest) => guest.host === seam.host,
  begin: (work, message) => {
    if (message === undefined) throw new NotOurs('a detachment is asked for by its message');
    return { ...work, volumeId: message.volume_id, volume: undefined, device: undefined, unplugged: false };
  },
  async done({ seam, guest, volumeId }) {
    seam.log.info('detached a volume', { instance: guest.uuid, volume: volumeId });
  },
  async ended({ seam, guest, volumeId, unplugged }, error) {
    seam.log.error('cannot detach a volume', { instance: guest.uuid, volume: volumeId, error });
    await addFault(seam, guest.uuid, error);
    const still = { instanceUuid: guest.uuid };
    if (!unplugged) await tryMoveVolume(seam.db.knex, volumeId, 'rollDetaching', nowOf(seam), {}, still);
    return false;
  },
});
