import type { Readable } from 'node:stream';
import type { ConnectionInfo, VolumeConnector } from '@folsom/nova/rpc/volume';

/** A volume as drivers see it. */
export interface Disk {
  id: string;
  /** What it is called on the host, e.g. `volume-UUID`. */
  name: string;
  /** Gigabytes. */
  size: number;
  provider_location: string | null;
  provider_auth: string | null;
}

/** A snapshot as drivers see it. */
export interface SnapshotDisk {
  id: string;
  /** e.g. `snapshot-UUID` */
  name: string;
  /** The volume it was made of. */
  volumeName: string;
  /** Gigabytes. */
  size: number;
}

/** How others reach a volume; goes into its row. */
export interface Export {
  provider_location: string | null;
  provider_auth: string | null;
}

/**
 * Where volumes lie. Every function may be called again after it was cut short anywhere, and then finishes: what is there
 * already is no mistake, and what is gone already neither.
 */
export interface VolumeDriver {
  readonly name: string;
  /** Whether others log in to its exports: a new volume then gets a password. */
  readonly asksForLogin: boolean;
  /** Whether it can work on this host. @throws Error that says in plain words why not */
  init(): Promise<void>;
  /** An empty disk, which reads as zeros. */
  create(disk: Disk): Promise<void>;
  /** A disk that begins with what the snapshot holds. */
  copySnapshot(disk: Disk, snapshot: SnapshotDisk): Promise<void>;
  /** Writes bytes from the disk's beginning; the rest stays. */
  write(disk: Disk, data: Readable, signal?: AbortSignal): Promise<void>;
  /** All its bytes. */
  read(disk: Disk): Promise<Readable>;
  /** Takes the disk away; nothing of what it held is in any later one. @throws Fault `VolumeIsBusy` */
  delete(disk: Disk): Promise<void>;
  createSnapshot(snapshot: SnapshotDisk): Promise<void>;
  /** @throws Fault `SnapshotIsBusy` */
  deleteSnapshot(snapshot: SnapshotDisk): Promise<void>;
  /** Makes it reachable for other hosts, where that is this driver's way. */
  ensureExport(disk: Disk): Promise<Export>;
  removeExport(disk: Disk): Promise<void>;
  /** @throws Fault `ISCSITargetNotFoundForVolume` where it should be reachable and is not */
  checkExport(disk: Disk): Promise<void>;
  /** How this host reaches it. @throws Fault where it cannot */
  connect(disk: Disk, connector: VolumeConnector): Promise<ConnectionInfo>;
  disconnect(disk: Disk, connector: VolumeConnector): Promise<void>;
  /** What the schedulers are told; undefined for nothing. */
  stats(): Promise<Readonly<Record<string, string | number>> | undefined>;
  /** Takes away what a crash left: half-made disks, and exports of none of these. Gives what was removed, in words. */
  sweep(disks: readonly Disk[]): Promise<string[]>;
}

export const GIB = 1024 ** 3;
