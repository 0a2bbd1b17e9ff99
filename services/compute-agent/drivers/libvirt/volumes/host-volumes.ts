import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { deviceLetters } from '@folsom/nova/device-names';
import { novaFault } from '@folsom/nova/faults';
import type { IscsiConnection, VolumeConnector } from '@folsom/nova/rpc/volume';
import type { VolumeAttachment } from '../../../driver.ts';
import { computeFault } from '../../../faults.ts';
import type { LibvirtConnection } from '../connection.ts';
import type { DomainDisk, NetworkSource } from '../disk-xml.ts';
import type { Initiator } from './initiator.ts';
import { dropSecret, keepSecret } from './secrets.ts';

/** Volumes as this host reaches them. */
export interface HostVolumes {
  connector(): Promise<VolumeConnector>;
  /** Makes the volume reachable and says how a domain names it. Again it answers the same. */
  connect(volume: VolumeAttachment): Promise<DomainDisk>;
  /** What `connect` took is given up; what was never connected is fine. */
  disconnect(volume: VolumeAttachment): Promise<void>;
}

/** `/dev/vdb`, `sdb1`: what the guest's hypervisor calls it. */
export function volumeTarget(mountDevice: string, prefix: string): string {
  const letters = deviceLetters(mountDevice);
  if (letters === undefined) throw novaFault('InvalidDevicePath', { path: mountDevice });
  return `${prefix}${letters}`;
}

export function hostVolumes(options: {
  host: string;
  ip: string;
  /** What its guests' disks are called, `vd`. */
  prefix: string;
  libvirt: LibvirtConnection;
  initiator: Initiator;
  /** Descriptions of all domains of this host. */
  domains(): Promise<string[]>;
}): HostVolumes {
  const { libvirt, initiator } = options;
  // An own name where the host has none: targets tell hosts apart by it.
  const ownName = `iqn.2010-10.org.openstack:host.${options.host.toLowerCase().replace(/[^a-z0-9.:-]/g, '-')}`;
  const initiatorName = async () => (await initiator.name()) ?? ownName;

  const iscsi = async (data: IscsiConnection['data']): Promise<Pick<DomainDisk, 'source' | 'kind'>> => {
    if (await initiator.there()) return { source: await initiator.connect(data), kind: 'block' };
    const source: NetworkSource = {
      protocol: 'iscsi',
      name: `${data.target_iqn}/${data.target_lun}`,
      host: portalOf(data.target_portal),
      initiator: await initiatorName(),
    };
    if (data.auth_method === undefined) return { source, kind: 'network' };
    const secret = await keepSecret(libvirt, data.volume_id, data.auth_password ?? '');
    return {
      source: { ...source, auth: { username: data.auth_username ?? '', type: 'iscsi', secret } },
      kind: 'network',
    };
  };

  const reach = async (volume: VolumeAttachment): Promise<Pick<DomainDisk, 'source' | 'kind'>> => {
    const { connectionInfo: info } = volume;
    switch (info.driver_volume_type) {
      case 'local':
        return localDisk(info.data.device_path);
      case 'iscsi':
        return iscsi(info.data);
      default:
        throw computeFault('VolumeDriverNotFound', { driver_type: info.driver_volume_type });
    }
  };

  return {
    connector: async () => ({ ip: options.ip, initiator: await initiatorName(), host: options.host }),
    async connect(volume) {
      requireSame(volume);
      const target = volumeTarget(volume.mountDevice, options.prefix);
      return { ...(await reach(volume)), format: 'raw', target, serial: volume.volumeId };
    },
    async disconnect({ connectionInfo: info, volumeId }) {
      if (info.driver_volume_type !== 'iscsi') return;
      if (await initiator.there()) {
        await initiator.disconnect(info.data, async prefix =>
          (await options.domains()).some(xml => xml.includes(prefix)),
        );
      }
      if (info.data.auth_method !== undefined) await dropSecret(libvirt, volumeId);
    },
  };
}

/** A connection to another volume than the one meant is never plugged. */
function requireSame({ connectionInfo: { data }, volumeId }: VolumeAttachment): void {
  if ((data.volume_id ?? volumeId) !== volumeId) throw computeFault('WrongVolume', { volume_id: volumeId });
}

async function localDisk(path: string): Promise<Pick<DomainDisk, 'source' | 'kind'>> {
  if (!isAbsolute(path)) throw computeFault('DiskNotFound', { location: path });
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isBlockDevice()) return { source: path, kind: 'block' };
  if (facts?.isFile()) return { source: path, kind: 'file' };
  throw computeFault('DiskNotFound', { location: path });
}

/** `10.0.0.1:3260`, `[fd00::1]:3260` */
function portalOf(portal: string): { name: string; port: string } {
  const [, v6, v4, port = '3260'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(portal) ?? [];
  const name = v6 ?? v4;
  if (name === undefined) throw computeFault('DiskNotFound', { location: portal });
  return { name, port };
}
