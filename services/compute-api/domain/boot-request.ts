import type { InjectedFiles, RequestedNetworks } from '@folsom/nova/rpc/wire';
import type { BlockDevice } from './block-devices.ts';

/** What somebody wants booted, already read and checked for form. */
export interface BootRequest {
  /** By its public id, or by its name. */
  flavor: { id: string } | { name: string };
  imageId: string;
  /** Instead of those that the image names. */
  kernelId?: string;
  ramdiskId?: string;
  /** null: each is named for itself. */
  name: string | null;
  minCount: number;
  maxCount: number;
  keyName: string | null;
  metadata: Record<string, string>;
  injectedFiles: InjectedFiles;
  /** Absent: a new one. */
  adminPassword?: string;
  securityGroups: string[];
  networks: RequestedNetworks;
  availabilityZone: string | null;
  userData: string | null;
  /** true, an image's id, or nothing. */
  configDrive: string | boolean | null;
  blockDevices: BlockDevice[];
  accessIpV4: string | null;
  accessIpV6: string | null;
  autoDiskConfig: boolean | null;
  schedulerHints: Record<string, unknown>;
}

export interface Booted {
  uuids: string[];
  reservationId: string;
  adminPassword: string;
  /** What the answer shows of each. */
  shown: { auto_disk_config: boolean | null; groups: string[] };
}
