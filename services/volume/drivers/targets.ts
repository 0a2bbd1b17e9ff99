import { must } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { ConnectionInfo } from '@folsom/nova/rpc/volume';
import type { Disk, Export } from '../driver.ts';

/** A program that serves disks over iSCSI: `iscsi_helper`. */
export interface Targets {
  /** @throws Error that says in plain words why it cannot work on this host */
  init(): Promise<void>;
  /** Serves what lies at the path under the disk's name. @throws Fault `ISCSITargetCreateFailed` */
  ensure(disk: Disk, path: string): Promise<Export>;
  remove(disk: Disk): Promise<void>;
  /** @throws Fault `ISCSITargetNotFoundForVolume` */
  check(disk: Disk): Promise<void>;
  /** Takes away what it serves under our names for none of these. */
  sweep(disks: readonly Disk[]): Promise<string[]>;
}

export interface TargetSettings {
  /** Prefix of names, e.g. `iqn.2010-10.org.openstack:` */
  prefix: string;
  /** Where initiators find us. */
  ip: string;
  port: number;
}

export const iqnOf = (prefix: string, disk: { name: string }): string => `${prefix}${disk.name}`;

/** As discovery prints it, and Folsom's rows hold it: `ip:port,tid iqn lun`. */
export const locationOf = (settings: TargetSettings, target: { tid: number; iqn: string; lun: number }) =>
  `${settings.ip}:${settings.port},${target.tid} ${target.iqn} ${target.lun}`;

/** Name and password of an initiator, from `CHAP user password`. */
export function chapOf(disk: {
  provider_auth: string | null;
}): { user: string; password: string } | undefined {
  const [method, user, password] = (disk.provider_auth ?? '').split(' ');
  return method === 'CHAP' && user && password ? { user, password } : undefined;
}

/** How an initiator reaches the disk, from its row. @throws Fault `InvalidVolume` when it is not served */
export function iscsiConnection(disk: Disk): ConnectionInfo {
  const [portal = '', iqn, lun] = (disk.provider_location ?? '').split(' ');
  if (iqn === undefined)
    throw novaFault('InvalidVolume', { reason: `Could not find iSCSI export  for volume ${disk.name}` });
  const chap = chapOf(disk);
  return {
    driver_volume_type: 'iscsi',
    data: {
      volume_id: disk.id,
      target_discovered: false,
      target_portal: must(portal.split(',')[0], 'a split has a first part'),
      target_iqn: iqn,
      // Rows of releases before carry none: tgt's first disk is 1.
      target_lun: lun === undefined ? 1 : Number(lun),
      ...(chap === undefined
        ? {}
        : { auth_method: 'CHAP', auth_username: chap.user, auth_password: chap.password }),
    },
  };
}
