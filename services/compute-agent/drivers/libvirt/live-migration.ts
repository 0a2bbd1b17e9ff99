import { chmod, mkdir, open, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Clock, isFault, must, type Random } from '@folsom/core';
import { createDisk, diskFacts } from '@folsom/host/qemu-img';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { Guest, LiveMove, MoveRequest, TargetCheck, VolumeDisk, Volumes } from '../../driver.ts';
import { computeFault } from '../../faults.ts';
import type { ComputeSettings } from '../../settings.ts';
import type { LibvirtConnection } from './connection.ts';
import { describedDisks, diskXml, withSourceOf } from './disk-xml.ts';
import type { GuestDomains } from './domains.ts';
import type { Firewall } from './firewall.ts';
import {
  bootFiles,
  type DiskInfo,
  diskTarget,
  existingGuestFiles,
  readDiskInfo,
  touchConsole,
  writeDiskInfo,
} from './guest-files.ts';
import type { HostFacts } from './host-facts.ts';
import type { ImageCache } from './image-cache.ts';
import type { HostVolumes } from './volumes/host-volumes.ts';

const MEGABYTE = 1024 ** 2;

/** libvirt's flags by the names that nova.conf uses. */
const FLAGS: Readonly<Record<string, number>> = {
  VIR_MIGRATE_LIVE: 1,
  VIR_MIGRATE_PEER2PEER: 2,
  VIR_MIGRATE_TUNNELLED: 4,
  VIR_MIGRATE_PERSIST_DEST: 8,
  VIR_MIGRATE_UNDEFINE_SOURCE: 16,
  VIR_MIGRATE_PAUSED: 32,
  VIR_MIGRATE_NON_SHARED_DISK: 64,
  VIR_MIGRATE_NON_SHARED_INC: 128,
  VIR_MIGRATE_CHANGE_PROTECTION: 256,
  VIR_MIGRATE_UNSAFE: 512,
};

/**
 * Flags of nova.conf as libvirt's number. The guest always ends up defined on the destination and not on the source.
 * Copying only what lies over the base image would need bases that are equal byte for byte on both hosts; filesystems
 * grown on each are not, so disks are copied whole.
 */
function migrationFlags(names: string): number {
  const wanted = names
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
  let flags =
    must(FLAGS.VIR_MIGRATE_PERSIST_DEST, 'VIR_MIGRATE_PERSIST_DEST is there') |
    must(FLAGS.VIR_MIGRATE_UNDEFINE_SOURCE, 'VIR_MIGRATE_UNDEFINE_SOURCE is there');
  for (const name of wanted) {
    const whole = name === 'VIR_MIGRATE_NON_SHARED_INC' ? 'VIR_MIGRATE_NON_SHARED_DISK' : name;
    const flag = FLAGS[whole];
    if (flag === undefined) throw new Error(`unknown migration flag ${name}`);
    flags |= flag;
  }
  return flags;
}

const RETRY_MS = 1_000;
const TARGET = /^[a-z]{3,5}$/;

/** One entry of Folsom's disk list. */
interface MovedDisk {
  path: string;
  type: 'raw' | 'qcow2';
  virt_disk_size: number;
  backing_file: string;
  disk_size: number;
  /** What the guest calls it; an original's source says nothing of that. */
  target?: string;
}

export function liveMigration(options: {
  libvirt: LibvirtConnection;
  domains: GuestDomains;
  volumes: HostVolumes;
  firewall: Firewall;
  cache: ImageCache;
  facts: HostFacts;
  settings: ComputeSettings;
  /** What guests' disks are called, `vd`. */
  prefix: string;
  random: Random;
  clock: Clock;
}) {
  const { libvirt, domains, firewall, settings } = options;
  const inFolder = (filename: string) => join(settings.instances_path, basename(filename));

  const disksOf = async (guest: Guest): Promise<MovedDisk[]> => {
    const folder = domains.folderOf(guest);
    const disks: MovedDisk[] = [];
    for (const [name, { format, target }] of Object.entries(await readDiskInfo(folder))) {
      const path = join(folder, name);
      const facts = await diskFacts(path, format);
      disks.push({
        path,
        type: format,
        virt_disk_size: facts.virtualSize,
        backing_file: facts.backingFile ?? '',
        disk_size: (await stat(path)).blocks * 512,
        target,
      });
    }
    return disks;
  };

  /** Others may be changing the packet filter in that moment. */
  const withRetries = async (work: () => Promise<void>): Promise<void> => {
    for (let left = settings.live_migration_retry_count; ; left--) {
      try {
        return await work();
      } catch (error) {
        if (!isFault(error, 'ProcessExecutionError') || left <= 1) throw error;
        await options.clock.sleep(RETRY_MS);
      }
    }
  };

  const emptyDisks = async ({ context, guest, signal }: MoveRequest, disks: string): Promise<void> => {
    const folder = domains.folderOf(guest);
    await mkdir(folder, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      throw computeFault('DestinationDiskExists', { path: folder });
    });
    await chmod(folder, 0o711);
    const info: DiskInfo = {};
    for (const disk of JSON.parse(disks) as MovedDisk[]) {
      const name = basename(disk.path);
      const format = disk.type === 'raw' ? 'raw' : 'qcow2';
      await createDisk(join(folder, name), format, Number(disk.virt_disk_size) || Number(disk.disk_size));
      const { target = '' } = disk;
      info[name] = { format, target: TARGET.test(target) ? target : diskTarget(guest, name, options.prefix) };
    }
    await writeDiskInfo(folder, info);
    await touchConsole(folder);
    await bootFiles({ context, guest, signal }, folder, options.cache);
  };

  /** The guest's description as it is to be on the destination. */
  const movedXml = async (guest: Guest, volumes: readonly VolumeDisk[]): Promise<string> => {
    const xml = await libvirt.description(guest.name, 'migratable');
    const there = new Map(volumes.map(volume => [volume.volumeId, volume.xml]));
    return describedDisks(xml).reduce((text, disk) => {
      const other = there.get(disk.serial ?? '');
      return other === undefined ? text : text.replace(disk.xml, () => withSourceOf(disk.xml, other));
    }, xml);
  };

  return {
    async checkAsTarget(request: { block_migration: boolean; disk_over_commit: boolean }) {
      const filename = `tmp${options.random.hex(12)}`;
      await (await open(inFolder(filename), 'wx', 0o600)).close();
      const { disk_available_least: free } = await options.facts.resources();
      return {
        filename,
        block_migration: request.block_migration,
        disk_over_commit: request.disk_over_commit,
        disk_available_mb: request.block_migration
          ? (free ?? 0) * 1024 - settings.reserved_host_disk_mb
          : null,
      };
    },

    endTargetCheck: (check: TargetCheck) => rm(inFolder(check.filename), { force: true }),

    async checkAsSource(guest: Guest, check: TargetCheck) {
      const shared = await stat(inFolder(check.filename)).then(
        () => true,
        () => false,
      );
      const path = settings.host;
      if (!check.block_migration) {
        if (shared) return;
        const reason = 'Live migration can not be used without shared storage.';
        throw computeFault('InvalidSharedStorage', { path, reason });
      }
      if (shared) {
        const reason = 'Block migration can not be used with shared storage.';
        throw computeFault('InvalidLocalStorage', { path, reason });
      }
      const available = (check.disk_available_mb ?? 0) * MEGABYTE;
      const need = (await disksOf(guest))
        .map(disk => (check.disk_over_commit ? disk.disk_size : disk.virt_disk_size))
        .reduce((sum, bytes) => sum + bytes, 0);
      if (available >= need) return;
      const reason = `Unable to migrate ${guest.uuid}: Disk of instance is too large(available on destination host:${available} < need:${need})`;
      throw computeFault('MigrationError', {}, { message: `Migration error: ${reason}` });
    },

    disksForMigration: async (guest: Guest) => JSON.stringify(await disksOf(guest)),

    async prepareArrival(request: MoveRequest, disks: string | null): Promise<VolumeDisk[]> {
      const { guest, network } = request;
      await withRetries(() => firewall.add({ id: guest.id, uuid: guest.uuid, network }));
      const volumes: VolumeDisk[] = [];
      for (const volume of request.volumes) {
        const disk = await options.volumes.connect(volume);
        volumes.push({ volumeId: volume.volumeId, xml: diskXml(disk) });
      }
      if (disks !== null) await emptyDisks(request, disks);
      return volumes;
    },

    async liveMigrate(guest: Guest, destination: string, { block, volumes }: LiveMove) {
      const names = block ? settings.block_migration_flag : settings.live_migration_flag;
      const sent = Object.values(await readDiskInfo(domains.folderOf(guest))).map(disk => disk.target);
      const moved =
        volumes.length === 0
          ? {}
          : { xml: await movedXml(guest, volumes), ...(block ? { disks: sent } : {}) };
      await libvirt.migrate(guest.name, {
        uri: settings.live_migration_uri.replace('%s', destination),
        // The destination would offer its own idea of its name, which may mean somebody else here.
        dataUri: `tcp://${destination}`,
        // A volume is one and the same wherever it is reached from; libvirt cannot see that.
        flags:
          migrationFlags(names) |
          (volumes.length === 0 ? 0 : must(FLAGS.VIR_MIGRATE_UNSAFE, 'VIR_MIGRATE_UNSAFE is there')),
        megabytesASecond: settings.live_migration_bandwidth,
        ...moved,
      });
    },

    async finishArrival(guest: Guest, network: NetworkInfo, volumes: Volumes) {
      await firewall.add({ id: guest.id, uuid: guest.uuid, network });
      const files = await existingGuestFiles(domains.folderOf(guest));
      const xml = await domains.describe(guest, files, network, volumes);
      // What it is started from next names the volumes as this host reaches them.
      if (volumes.length > 0) await libvirt.define(xml);
    },

    async forgetMoved(guest: Guest) {
      await domains.undefine(guest);
      await firewall.remove(guest);
    },
  };
}
