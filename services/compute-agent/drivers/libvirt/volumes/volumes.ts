import type { Clock, Logger } from '@folsom/core';
import type { Runner } from '@folsom/host/runner';
import type { ComputeDriver, Guest, VolumeAttachment } from '../../../driver.ts';
import type { ComputeSettings } from '../../../settings.ts';
import type { LibvirtConnection } from '../connection.ts';
import { type HostVolumes, hostVolumes, volumeTarget } from './host-volumes.ts';
import { hotPlug } from './hot-plug.ts';
import { openIscsi } from './initiator.ts';

/** Volumes of this host and its guests. */
export interface GuestVolumes extends HostVolumes {
  /** Into a guest that has it by its rows. */
  plug(guest: Guest, volume: VolumeAttachment): Promise<void>;
  /** The driver's methods that are about nothing else. */
  duties: Pick<ComputeDriver, 'attachVolume' | 'detachVolume' | 'disconnectVolumes' | 'volumeConnector'>;
}

export function volumesOfHost(options: {
  libvirt: LibvirtConnection;
  settings: ComputeSettings;
  /** What guests' disks are called, `vd`. */
  prefix: string;
  runner: Runner;
  clock: Clock;
  log: Logger;
}): GuestVolumes {
  const { libvirt, settings, prefix, runner, clock, log } = options;
  const host = hostVolumes({
    host: settings.host,
    ip: settings.my_ip,
    prefix,
    libvirt,
    initiator: openIscsi({ runner, clock, log, scanTries: settings.num_iscsi_scan_tries }),
    domains: async () => Promise.all((await libvirt.list()).map(name => libvirt.xml(name).catch(() => ''))),
  });
  const plugs = hotPlug({ libvirt, clock, log });
  const plug = async (guest: Guest, volume: VolumeAttachment): Promise<void> =>
    plugs.plug(guest, await host.connect(volume));
  return {
    ...host,
    plug,
    duties: {
      attachVolume: plug,
      async detachVolume(guest, volume) {
        const target = volumeTarget(volume.mountDevice, prefix);
        await plugs.unplug(guest, { target, serial: volume.volumeId });
        await host.disconnect(volume);
      },
      async disconnectVolumes(_guest, attached) {
        for (const volume of attached) await host.disconnect(volume);
      },
      volumeConnector: () => host.connector(),
    },
  };
}
