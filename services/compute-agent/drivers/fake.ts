import { Readable } from 'node:stream';
import { novaFault } from '@folsom/nova/faults';
import { powerState } from '@folsom/nova/instance-state';
import { type ComputeDriver, type Guest, snapshotProperties, type Volumes } from '../driver.ts';
import { computeFault } from '../faults.ts';

export interface FakeDriverOptions {
  host: string;
  /** What the simulated host has. */
  vcpus?: number;
  memoryMb?: number;
  localGb?: number;
}

/** What tests see of it besides. */
export interface FakeDriver extends ComputeDriver {
  /** Volumes that a guest of this name has, by device. */
  mountsOf(name: string): ReadonlyMap<string, string>;
}

/** What a snapshot of a simulated guest consists of. */
const SNAPSHOT_BYTES = Buffer.from('fake snapshot\n');

/** Which guests there are, and their volumes by device. */
function simulatedGuests() {
  const guests = new Set<string>();
  const mounts = new Map<string, Map<string, string>>();
  const mountsOf = (name: string) => {
    const of = mounts.get(name) ?? new Map<string, string>();
    mounts.set(name, of);
    return of;
  };
  /** A guest that is there from now on, with these volumes. */
  const there = (guest: Guest, volumes: Volumes): void => {
    guests.add(guest.name);
    mounts.set(guest.name, new Map(volumes.map(volume => [volume.mountDevice, volume.volumeId])));
  };
  const gone = (guest: Guest): void => {
    guests.delete(guest.name);
    mounts.delete(guest.name);
  };
  const known = (guest: Guest): void => {
    if (!guests.has(guest.name)) throw novaFault('InstanceNotFound', { instance_id: guest.name });
  };
  return { guests, mounts, mountsOf, there, gone, known };
}

/**
 * A hypervisor without guests: it keeps names in memory and agrees to everything. What it answers is what Folsom's
 * fake driver answers, so that clients and tests made for that find the same.
 */
export function fakeDriver(options: FakeDriverOptions): FakeDriver {
  const { guests, mounts, mountsOf, there, gone, known } = simulatedGuests();
  const agree = async (guest: Guest): Promise<void> => known(guest);
  const total = {
    vcpus: options.vcpus ?? 64,
    memory: options.memoryMb ?? 262_144,
    disk: options.localGb ?? 20_000,
  };
  const notHere = async (): Promise<never> => {
    throw computeFault('NotImplementedError');
  };

  return {
    name: 'fake',
    reportsPowerState: false,
    rootDevice: null,
    // Simulated guests outlive the service, as real ones do.
    init: async present => {
      for (const guest of present) if (guest.power_state === powerState.running) guests.add(guest.name);
    },
    close: async () => {},
    listGuests: async () => [...guests],
    info: async guest => {
      known(guest);
      return { state: powerState.running, maxMemoryKb: 0, memoryKb: 0, vcpus: 2, cpuTimeNs: 0 };
    },
    spawn: async (request, step) => {
      await step?.('start');
      request.signal.throwIfAborted();
      there(request.guest, request.volumes);
    },
    destroy: async guest => gone(guest),
    reboot: async (guest, _network, _type, volumes) => there(guest, volumes),
    powerOff: agree,
    powerOn: async (guest, _network, volumes) => there(guest, volumes),
    pause: agree,
    unpause: agree,
    suspend: agree,
    resume: async (guest, _network, volumes) => there(guest, volumes),
    rescue: async request => known(request.guest),
    unrescue: async (guest, _network, volumes) => {
      known(guest);
      there(guest, volumes);
    },
    snapshot: async (context, guest, imageId, images, signal) => {
      if (!guests.has(guest.name)) throw computeFault('InstanceNotRunning', { instance_id: guest.uuid });
      const facts = {
        disk_format: 'raw',
        container_format: 'bare',
        size: SNAPSHOT_BYTES.length,
        properties: snapshotProperties(guest),
      };
      await images.upload(context, imageId, facts, Readable.from([SNAPSHOT_BYTES]), signal);
    },
    setAdminPassword: agree,
    injectFile: agree,
    consoleOutput: async () => 'FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE',
    vncConsole: async () => ({ internal_access_path: 'FAKE', host: 'fakevncconsole.com', port: 6969 }),
    cardCounters: async () => [],
    diagnostics: async () => 'FAKE_DIAGNOSTICS',
    // Until it is settled where the guest goes its volumes are nobody's.
    migrateDiskAndPowerOff: async ({ guest }) => {
      mounts.delete(guest.name);
      return '';
    },
    finishMigration: async request => there(request.guest, request.volumes),
    finishRevertMigration: async request => there(request.guest, request.volumes),
    // The source forgets the guest unless it was resized in place.
    confirmMigration: async guest => {
      if (guest.host !== options.host) gone(guest);
    },
    checkAsTarget: notHere,
    endTargetCheck: async () => {},
    checkAsSource: agree,
    disksForMigration: async () => '[]',
    prepareArrival: async () => [],
    liveMigrate: async guest => gone(guest),
    finishArrival: async (guest, _network, volumes) => there(guest, volumes),
    forgetMoved: async guest => gone(guest),
    attachVolume: async (guest, volume) => {
      known(guest);
      const device = mountsOf(guest.name).get(volume.mountDevice) ?? volume.volumeId;
      if (device !== volume.volumeId) throw novaFault('DeviceIsBusy', { device: volume.mountDevice });
      mountsOf(guest.name).set(volume.mountDevice, volume.volumeId);
    },
    detachVolume: async (guest, volume) => void mountsOf(guest.name).delete(volume.mountDevice),
    disconnectVolumes: async () => {},
    volumeConnector: async () => ({ ip: '127.0.0.1', initiator: 'fake', host: options.host }),
    mountsOf,
    plug: async () => {},
    repairCards: async () => {},
    refreshFirewall: async () => {},
    checkFirewall: async () => [],
    resources: async () => ({
      vcpus: total.vcpus,
      memory_mb: total.memory,
      local_gb: total.disk,
      vcpus_used: 0,
      memory_mb_used: 0,
      local_gb_used: 0,
      hypervisor_type: 'fake',
      hypervisor_version: 1,
      hypervisor_hostname: options.host,
      cpu_info: '?',
      disk_available_least: null,
    }),
    hostStats: async () => ({
      'host_name-description': 'Fake Host',
      host_hostname: 'fake-mini',
      host_memory_total: 8_000_000_000,
      host_memory_overhead: 10_000_000,
      host_memory_free: 7_900_000_000,
      host_memory_free_computed: 7_900_000_000,
      host_other_config: {},
      host_ip_address: '192.168.1.109',
      host_cpu_info: {},
      disk_available: 500_000_000_000,
      disk_total: 600_000_000_000,
      disk_used: 100_000_000_000,
      host_uuid: 'cedb9b39-9388-41df-8891-c5c9a0c0fe5f',
      host_name_label: 'fake-mini',
    }),
    hostAddress: () => '192.168.0.1',
    hostUptime: notHere,
    hostPowerAction: async () => null,
    hostMaintenanceMode: async () => null,
    manageImageCache: async () => {},
    removeFromHost: async () => {
      guests.clear();
      mounts.clear();
    },
  };
}
