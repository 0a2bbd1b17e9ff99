import { chmod, mkdir, open, readdir, rename, rm, stat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runner } from '@folsom/host/runner';
import { novaFault } from '@folsom/nova/faults';
import { type Disk, GIB, type SnapshotDisk, type VolumeDriver } from '../driver.ts';
import { readDisk, writeDisk } from './disk-bytes.ts';
import { iscsiConnection, type Targets } from './targets.ts';

export interface FileDriverOptions {
  /** Where the files lie; made when it is missing. */
  directory: string;
  /** Name of this host: who is on it opens the files themselves. */
  host: string;
  runner: Runner;
  /** Present: other hosts reach the files over iSCSI. */
  targets: Targets | undefined;
}

/** Copying a disk takes as long as its bytes do. */
const COPY_MS = 6 * 3600 * 1000;
const PART = '.part';
const NOBODY_ELSE = 0o600;

/**
 * Volumes as sparse files: no rights of root are needed, and an empty one takes no room. A file gets its name when it is
 * whole; what a crash left half-made has another and is swept away. A file that is deleted gives its blocks back to the
 * filesystem, which hands none out unwritten.
 */
export function fileDriver(options: FileDriverOptions): VolumeDriver {
  const { directory, host, runner, targets } = options;
  const pathOf = ({ name }: { name: string }): string => join(directory, name);
  const present = async (path: string): Promise<boolean> =>
    (await stat(path).catch(() => undefined)) !== undefined;

  /** Makes a file in whole, unless it is there. */
  const once = async (path: string, build: (part: string) => Promise<void>): Promise<void> => {
    if (await present(path)) return;
    const part = path + PART;
    await rm(part, { force: true });
    await build(part);
    await chmod(part, NOBODY_ELSE);
    await syncPath(part, 'r+');
    await rename(part, path);
    await syncPath(directory);
  };
  const copy = (from: string, to: string) =>
    runner(['cp', '--reflink=auto', '--sparse=always', '--', from, to], { timeoutMs: COPY_MS });
  const remove = async (item: Disk | SnapshotDisk): Promise<void> => {
    await rm(pathOf(item) + PART, { force: true });
    await rm(pathOf(item), { force: true });
    await syncPath(directory);
  };

  return {
    name: 'file',
    asksForLogin: targets !== undefined,
    async init() {
      await mkdir(directory, { recursive: true, mode: 0o711 });
      await targets?.init();
    },
    create: disk =>
      once(pathOf(disk), async part => {
        await (await open(part, 'wx', NOBODY_ELSE)).close();
        await truncate(part, disk.size * GIB);
      }),
    copySnapshot: (disk, snapshot) =>
      once(pathOf(disk), async part => {
        await copy(pathOf(snapshot), part);
        await truncate(part, disk.size * GIB);
      }),
    write: (disk, data, signal) =>
      writeDisk(pathOf(disk), disk, data, { sparse: true, ...(signal === undefined ? {} : { signal }) }),
    read: async disk => readDisk(pathOf(disk), disk),
    delete: remove,
    createSnapshot: snapshot =>
      once(pathOf(snapshot), async part => {
        await copy(join(directory, snapshot.volumeName), part);
      }),
    deleteSnapshot: remove,
    async ensureExport(disk) {
      if (targets === undefined) return { provider_location: null, provider_auth: disk.provider_auth };
      return targets.ensure(disk, pathOf(disk));
    },
    removeExport: async disk => targets?.remove(disk),
    checkExport: async disk => {
      if (!(await present(pathOf(disk))))
        throw novaFault('ISCSITargetNotFoundForVolume', { volume_id: disk.id });
      await targets?.check(disk);
    },
    async connect(disk, connector) {
      if (!(await present(pathOf(disk))))
        throw novaFault('VolumeBackendAPIException', { data: `the file of volume ${disk.id} is gone` });
      if (connector.host === host) {
        const data = { volume_id: disk.id, device_path: pathOf(disk), device_type: 'file' as const };
        return { driver_volume_type: 'local', data };
      }
      if (targets === undefined)
        throw novaFault('VolumeBackendAPIException', {
          data: `volume ${disk.id} is a file on host ${host}; volume_file_export lets other hosts reach it`,
        });
      return iscsiConnection(disk);
    },
    disconnect: async () => {},
    async stats() {
      const { blocks, bavail, bsize } = await statfs(directory);
      const gigabytes = (count: number) => Math.floor((count * bsize) / GIB);
      return {
        volume_backend_name: 'file',
        storage_protocol: targets === undefined ? 'local' : 'iSCSI',
        total_capacity_gb: gigabytes(blocks),
        free_capacity_gb: gigabytes(bavail),
      };
    },
    async sweep(disks) {
      const halves = (await readdir(directory)).filter(name => name.endsWith(PART));
      for (const name of halves) await rm(join(directory, name), { force: true });
      return [...halves, ...((await targets?.sweep(disks)) ?? [])];
    },
  };
}

/** What is written there, or the names in a folder, outlive a loss of power. */
async function syncPath(path: string, flags = 'r'): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
