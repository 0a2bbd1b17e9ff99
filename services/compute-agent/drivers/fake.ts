import { Readable } from 'node:stream';
import { novaFault } from '@folsom/nova/faults';
import { powerState } from '@folsom/nova/instance-state';
import { type ComputeDriver, type Guest, snapshotProperties, type VolumeAttachment } from '../driver.ts';
import { computeFault } from '../faults.ts';

export interface FakeDriverOptions {
  host: string;
  /** What the simulated host has. */
  vcpus?: number;
  memoryMb?: number;
  localGb?: number;
}

/** What a snapshot of a simulated guest consists of. */
const SNAPSHOT_BYTES = Buffer.from('fake snapshot\n');

/**
 * A hypervisor without guests: it keeps names in memory and agrees to everything. What it answers is what Folsom's
 * fake driver answers, so that clients and tests made for that find the same.
 */
export function fakeDriver(options: FakeDriverOptions): ComputeDriver {
  const guests = new Set<string>();
  const mounts = new Map<string, Map<string, VolumeAttachment>>();
  const known = (guest: Guest): void => {
    if (!guests.has(guest.name)) throw novaFault('InstanceNotFound', { instance_id: guest.name });
  };
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
      guests.add(request.guest.name);
    },
    destroy: async guest => {
      guests.delete(guest.name);
      mounts.delete(guest.name);
    },
    reboot: async guest => void guests.add(guest.name),
    powerOff: agree,
    powerOn: async guest => void guests.add(guest.name),
    pause: agree,
    unpause: agree,
    suspend: agree,
    resume: async guest => void guests.add(guest.name),
    rescue: async request => known(request.guest),
    unrescue: agree,
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
    diagnostics: async () => 'FAKE_DIAGNOSTICS',
    migrateDiskAndPowerOff: async () => '',
    finishMigration: async request => void guests.add(request.guest.name),
    finishRevertMigration: async request => void guests.add(request.guest.name),
    // The source forgets the guest unless it was resized in place.
    confirmMigration: async guest => {
      if (guest.host !== options.host) guests.delete(guest.name);
    },
    checkAsTarget: notHere,
    endTargetCheck: async () => {},
    checkAsSource: agree,
    disksForMigration: async () => '[]',
    prepareArrival: async () => {},
    liveMigrate: async guest => void guests.delete(guest.name),
    finishArrival: async guest => void guests.add(guest.name),
    forgetMoved: async guest => void guests.delete(guest.name),
    attachVolume: async (guest, volume) => {
      const of = mounts.get(guest.name) ?? new Map<string, VolumeAttachment>();
      of.set(volume.mountDevice, volume);
      mounts.set(guest.name, of);
    },
    detachVolume: async (guest, volume) => void mounts.get(guest.name)?.delete(volume.mountDevice),
    volumeConnector: async () => ({ ip: '127.0.0.1', initiator: 'fake', host: 'fakehost' }),
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
    removeFromHost: async () => guests.clear(),
  };
}
