import type { Clock } from '@folsom/core';
import { must } from '@folsom/core';
import { DEVICE_MAPPER } from '@folsom/host/device-mapper';
import type { Runner } from '@folsom/host/runner';
import { novaFault } from '@folsom/nova/faults';
import { type Disk, GIB, type SnapshotDisk, type VolumeDriver } from '../driver.ts';
import { readDisk, writeDisk } from './disk-bytes.ts';
import { iscsiConnection, type Targets } from './targets.ts';

export interface LvmDriverOptions {
  /** `volume_group` */
  group: string;
  /** `num_shell_tries` */
  tries: number;
  runner: Runner;
  clock: Clock;
  targets: Targets;
  /** Whether the kernel has what LVM stands on. */
  deviceMapper: () => Promise<boolean>;
}

const LIMITS = { timeoutMs: 120_000 };
/** Writing a disk full of zeros takes as long as its size does. */
const COPY = { timeoutMs: 24 * 3600 * 1000 };
const BLOCK = 'bs=1M';

/** LVM does not let a name begin so. */
const escaped = (name: string): string => (name.startsWith('snapshot') ? `_${name}` : name);

/** Folsom's ISCSIDriver: logical volumes of one group, served over iSCSI. */
export function lvmDriver(options: LvmDriverOptions): VolumeDriver {
  const { group, runner, targets, clock } = options;
  const at = (name: string): string => `${group}/${escaped(name)}`;
  const deviceOf = (name: string): string =>
    `/dev/mapper/${group.replaceAll('-', '--')}-${escaped(name).replaceAll('-', '--')}`;

  /** LVM's commands fail for a moment now and then. */
  const patiently = async (argv: readonly string[]): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        await runner(argv, LIMITS);
        return;
      } catch (error) {
        if (attempt >= options.tries) throw error;
        await clock.sleep(attempt ** 2 * 1000);
      }
    }
  };
  const present = async (name: string): Promise<boolean> =>
    (await runner(['lvdisplay', at(name)], { ...LIMITS, allowedCodes: 'any' })).code === 0;
  const copy = async (from: string, to: string, gigabytes: number): Promise<void> => {
    const files = [`if=${from}`, `of=${to}`];
    // Beside the page cache, where the device allows that.
    const direct = ['iflag=direct', 'oflag=direct'];
    const { code } = await runner(['dd', 'count=0', ...files, ...direct], {
      ...LIMITS,
      allowedCodes: 'any',
    });
    const flags = code === 0 ? direct : [];
    await runner(['dd', ...files, `count=${gigabytes * 1024}`, BLOCK, ...flags, 'conv=fsync'], COPY);
  };
  const make = async ({ name, size }: Disk): Promise<void> => {
    if (!(await present(name))) await patiently(['lvcreate', '-L', `${size}G`, '-n', name, group]);
  };
  /** What it held is gone before its room is anybody else's. */
  const wipe = async ({ name, size }: Disk | SnapshotDisk): Promise<void> => {
    if (!(await present(name))) return;
    await copy('/dev/zero', deviceOf(name), size);
    await patiently(['lvremove', '-f', at(name)]);
  };

  return {
    name: 'lvm',
    asksForLogin: true,
    async init() {
      // LVM's commands would find a group without it, and fail at the first volume.
      if (!(await options.deviceMapper()))
        throw new Error(
          `LVM does not work on this host: its kernel has no device-mapper (${DEVICE_MAPPER} is missing); modprobe dm_mod, or use volume_driver = file`,
        );
      const { stdout } = await runner(['vgs', '--noheadings', '-o', 'name'], LIMITS).catch(error => {
        throw new Error(`LVM does not work on this host (${firstLine(error)}); use volume_driver = file`);
      });
      if (!stdout.split(/\s+/).includes(group)) throw new Error(`volume group ${group} doesn't exist`);
      await targets.init();
    },
    create: make,
    async copySnapshot(disk, snapshot) {
      await make(disk);
      await copy(deviceOf(snapshot.name), deviceOf(disk.name), snapshot.size);
    },
    write: (disk, data, signal) =>
      writeDisk(deviceOf(disk.name), disk, data, {
        sparse: false,
        ...(signal === undefined ? {} : { signal }),
      }),
    read: async disk => readDisk(deviceOf(disk.name), disk),
    async delete(disk) {
      if (!(await present(disk.name))) return;
      const { stdout } = await runner(
        ['lvdisplay', '--noheading', '-C', '-o', 'Attr', at(disk.name)],
        LIMITS,
      );
      // What snapshots stand on.
      if (/^o/i.test(stdout.trim())) throw novaFault('VolumeIsBusy', { volume_name: disk.name });
      await wipe(disk);
    },
    async createSnapshot({ name, volumeName, size }) {
      if (await present(name)) return;
      await patiently(['lvcreate', '-L', `${size}G`, '--name', escaped(name), '--snapshot', at(volumeName)]);
    },
    deleteSnapshot: wipe,
    ensureExport: disk => targets.ensure(disk, `/dev/${group}/${disk.name}`),
    removeExport: disk => targets.remove(disk),
    checkExport: disk => targets.check(disk),
    connect: async disk => iscsiConnection(disk),
    disconnect: async () => {},
    async stats() {
      const { stdout } = await runner(
        ['vgs', '--noheadings', '--units', 'b', '--nosuffix', '-o', 'vg_size,vg_free', group],
        LIMITS,
      );
      const [size = 0, free = 0] = stdout.trim().split(/\s+/).map(Number);
      return {
        volume_backend_name: 'LVM_iSCSI',
        storage_protocol: 'iSCSI',
        total_capacity_gb: Math.floor(size / GIB),
        free_capacity_gb: Math.floor(free / GIB),
      };
    },
    sweep: disks => targets.sweep(disks),
  };
}

const firstLine = (error: unknown): string => {
  const { values, message } = error as { values?: { stderr?: unknown }; message: string };
  return must(
    String(values?.stderr || message)
      .trim()
      .split('\n')[0],
    'a split has a first part',
  );
};
