import type { RequestContext } from '@folsom/core';
import type { HypervisorResources } from '@folsom/nova/compute-node-report';
import type { FlavorRow } from '@folsom/nova/flavors';
import type { ImageClient } from '@folsom/nova/image-transfer';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { ConnectionInfo, VolumeConnector } from '@folsom/nova/rpc/volume';
import type { ImageWire, InjectedFiles } from '@folsom/nova/rpc/wire';

/** An instance as drivers see it: its record with its name on the hypervisor. */
export interface Guest extends InstanceRecord {
  /** `instance-0000000a` */
  name: string;
}

/** What the image of a snapshot says of where it comes from. */
export const snapshotProperties = (guest: Guest): Record<string, string> => ({
  kernel_id: guest.kernel_id ?? '',
  ramdisk_id: guest.ramdisk_id ?? '',
  image_location: 'snapshot',
  image_state: 'available',
  owner_id: guest.project_id ?? '',
});

/** A volume that a guest uses. */
export interface VolumeAttachment {
  volumeId: string;
  /** Device the user was told, `/dev/vdb`. */
  mountDevice: string;
  connectionInfo: ConnectionInfo;
  deleteOnTermination: boolean;
}

export type Volumes = readonly VolumeAttachment[];

/** A volume as a description of its guest names it on one host. */
export interface VolumeDisk {
  volumeId: string;
  xml: string;
}

export interface LiveMove {
  /** The disks are sent along. */
  block: boolean;
  /** The volumes as the destination reaches them. */
  volumes: readonly VolumeDisk[];
}

export interface SpawnRequest {
  context: RequestContext;
  guest: Guest;
  image: ImageWire;
  injectedFiles: InjectedFiles;
  adminPassword: string | null;
  network: NetworkInfo;
  volumes: Volumes;
  /** Devices of the flavor's own disks (`swap`, `ephemeral0`), where somebody says where they are. */
  virtualDevices?: ReadonlyMap<string, string>;
  /** Aborted when the work should stop: the instance is being deleted, time is up, the service ends. */
  signal: AbortSignal;
}

/** What a hypervisor says of a guest; `state` as in `instances.power_state`. */
export interface GuestInfo {
  state: number;
  maxMemoryKb: number;
  memoryKb: number;
  vcpus: number;
  cpuTimeNs: number;
}

/** What one card has received and sent since its guest was started. */
export interface CardCounters {
  mac: string;
  bytesIn: number;
  bytesOut: number;
}

export interface VncConnection {
  host: string;
  port: number;
  internal_access_path: string | null;
}

export interface MoveRequest {
  context: RequestContext;
  guest: Guest;
  network: NetworkInfo;
  volumes: Volumes;
  signal: AbortSignal;
}

/** What hosts of a live migration tell each other before it (Folsom's `dest_check_data`). */
export interface TargetCheck {
  /** A file in the destination's folder of guests: where the source sees it, the disks are shared. */
  filename: string;
  block_migration: boolean;
  disk_over_commit: boolean;
  disk_available_mb: number | null;
}

/** All guests of a host, for its packet filter. */
export interface HostedGuests {
  /** Those that stand still. */
  settled: readonly Guest[];
  /** Those that are coming, going or broken. */
  others: readonly Guest[];
}

/**
 * A hypervisor. Every method is idempotent where the word allows it: destroying what is gone, starting what runs and
 * stopping what stands still succeed. A guest the hypervisor does not know is the Fault `InstanceNotFound`.
 */
export interface ComputeDriver {
  readonly name: 'fake' | 'libvirt';
  /** Whether power_state follows what is done to guests; where not, states are never corrected from it. */
  readonly reportsPowerState: boolean;

  /** First disk of a guest, `/dev/vda`; null where there is none to name. */
  readonly rootDevice: string | null;

  /** Makes ready; `guests` are those the database places on this host. */
  init(guests: readonly Guest[]): Promise<void>;
  close(): Promise<void>;

  listGuests(): Promise<string[]>;
  info(guest: Guest): Promise<GuestInfo>;

  /** Builds and starts. `step` is told the names of the parts as they begin. */
  spawn(request: SpawnRequest, step?: (name: string) => Promise<void>): Promise<void>;
  /** Takes the guest and everything it left on this host away, its volumes' connections too. */
  destroy(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;

  reboot(guest: Guest, network: NetworkInfo, type: 'SOFT' | 'HARD', volumes: Volumes): Promise<void>;
  powerOff(guest: Guest): Promise<void>;
  powerOn(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;
  pause(guest: Guest): Promise<void>;
  unpause(guest: Guest): Promise<void>;
  suspend(guest: Guest): Promise<void>;
  resume(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;

  rescue(request: SpawnRequest): Promise<void>;
  unrescue(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;

  /** Copies the disk into the image `imageId`. */
  snapshot(
    context: RequestContext,
    guest: Guest,
    imageId: string,
    images: ImageClient,
    signal: AbortSignal,
  ): Promise<void>;

  setAdminPassword(guest: Guest, password: string): Promise<void>;
  injectFile(guest: Guest, path: string, contents: string): Promise<void>;
  consoleOutput(guest: Guest): Promise<string>;
  vncConsole(guest: Guest): Promise<VncConnection>;
  diagnostics(guest: Guest): Promise<unknown>;
  /** Of a running guest's cards; none of one that is off. */
  cardCounters(guest: Guest): Promise<CardCounters[]>;

  /** First half of a resize, on the source. Returns what the destination must know (JSON text). */
  migrateDiskAndPowerOff(request: MoveRequest, destinationHost: string, flavor: FlavorRow): Promise<string>;
  /** Second half, on the destination. */
  finishMigration(
    request: MoveRequest & { image: ImageWire | null; diskInfo: string; resize: boolean },
  ): Promise<void>;
  /** Back on the source after a revert. */
  finishRevertMigration(request: MoveRequest): Promise<void>;
  /** On the source after a confirm: the old copy goes. */
  confirmMigration(guest: Guest, network: NetworkInfo): Promise<void>;

  /** On the destination of a live migration: what the source has to check, until `endTargetCheck`. */
  checkAsTarget(request: { block_migration: boolean; disk_over_commit: boolean }): Promise<TargetCheck>;
  endTargetCheck(check: TargetCheck): Promise<void>;
  /** On the source. @throws Fault `InvalidSharedStorage`, `InvalidLocalStorage`, `MigrationError` */
  checkAsSource(guest: Guest, check: TargetCheck): Promise<void>;
  /** The guest's disks for the destination of a block migration (JSON text). */
  disksForMigration(guest: Guest): Promise<string>;
  /**
   * On the destination: room for the guest; with `disks`, empty disks of its size. Answers how the guest's description
   * names its volumes here.
   */
  prepareArrival(request: MoveRequest, disks: string | null): Promise<VolumeDisk[]>;
  /** On the source: moves the running guest; resolves when it runs there and no longer here. */
  liveMigrate(guest: Guest, destination: string, move: LiveMove): Promise<void>;
  /** On the destination: what has arrived becomes a guest of this host like any other. */
  finishArrival(guest: Guest, network: NetworkInfo, volumes: Volumes): Promise<void>;
  /** On the source, after a migration on shared disks: all but the files goes. */
  forgetMoved(guest: Guest): Promise<void>;

  /** Connects this host to the volume and plugs it into the guest, now and for its next start. @throws Fault `DeviceIsBusy` */
  attachVolume(guest: Guest, volume: VolumeAttachment): Promise<void>;
  /** Takes it out of the guest, for certain, and gives this host's connection up. @throws Fault `DeviceIsBusy` */
  detachVolume(guest: Guest, volume: VolumeAttachment): Promise<void>;
  /** Gives connections up whose guest has left. */
  disconnectVolumes(guest: Guest, volumes: Volumes): Promise<void>;
  volumeConnector(guest: Guest): Promise<VolumeConnector>;

  /** Makes the cards' and filters' host side be there, for guests that outlived us. */
  plug(guest: Guest, network: NetworkInfo): Promise<void>;
  /** Puts cards of running guests back where they belong, after somebody took their bridge away. */
  repairCards(): Promise<void>;
  /** The rules of these guests changed (all of this host's when null). */
  refreshFirewall(guestUuids: readonly string[] | null): Promise<void>;
  /** What the packet filter has against what the rows say, one sentence a difference; with `repair` it is put right. */
  checkFirewall(host: HostedGuests, repair: boolean): Promise<string[]>;

  resources(): Promise<HypervisorResources>;
  /** Broadcast to schedulers as capabilities. */
  hostStats(): Promise<Record<string, unknown>>;
  hostAddress(): string;
  hostUptime(): Promise<string>;
  /** Reboots, shuts down or starts the host; what it answers is shown as it is. */
  hostPowerAction(action: string): Promise<string | null>;
  hostMaintenanceMode(on: boolean): Promise<string | null>;

  /** Removes cached images nobody needs; `inUse` are image ids. */
  manageImageCache(inUse: ReadonlySet<string>): Promise<void>;
  /** Takes everything of this driver out of the host: guests, disks, rules. For `folsom down --purge`. */
  removeFromHost(): Promise<void>;
}
