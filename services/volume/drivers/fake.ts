import { Readable } from 'node:stream';
import { novaFault } from '@folsom/nova/faults';
import type { Disk, VolumeDriver } from '../driver.ts';

/** Volumes of tests: as many bytes as were written, the rest would be zeros; nothing is on any host. */
export interface FakeDriver extends VolumeDriver {
  /** What is written on each disk, by name; snapshots as well. */
  readonly disks: Map<string, Buffer>;
  readonly exports: Set<string>;
}

export function fakeDriver(): FakeDriver {
  const disks = new Map<string, Buffer>();
  const exports = new Set<string>();
  const held = (name: string): Buffer => {
    const bytes = disks.get(name);
    if (bytes === undefined) throw novaFault('VolumeBackendAPIException', { data: `no disk ${name}` });
    return bytes;
  };
  const ensure = (name: string) => {
    if (!disks.has(name)) disks.set(name, Buffer.alloc(0));
  };
  const exported = async ({ name }: Disk) => {
    held(name);
    exports.add(name);
    return { provider_location: null, provider_auth: null };
  };
  return {
    name: 'fake',
    asksForLogin: false,
    disks,
    exports,
    init: async () => {},
    create: async ({ name }) => ensure(name),
    copySnapshot: async ({ name }, snapshot) => void disks.set(name, Buffer.from(held(snapshot.name))),
    write: async ({ name }, data, signal) => {
      const before = held(name);
      const chunks: Buffer[] = [];
      for await (const chunk of data) chunks.push(chunk as Buffer);
      signal?.throwIfAborted();
      const written = Buffer.concat(chunks);
      disks.set(name, Buffer.concat([written, before.subarray(written.length)]));
    },
    read: async ({ name }) => Readable.from([held(name)]),
    delete: async ({ name }) => void disks.delete(name),
    createSnapshot: async ({ name, volumeName }) => void disks.set(name, Buffer.from(held(volumeName))),
    deleteSnapshot: async ({ name }) => void disks.delete(name),
    ensureExport: exported,
    removeExport: async ({ name }) => void exports.delete(name),
    checkExport: async ({ id, name }) => {
      if (!exports.has(name)) throw novaFault('ISCSITargetNotFoundForVolume', { volume_id: id });
    },
    connect: async ({ id, name }) => {
      held(name);
      return { driver_volume_type: 'fake', data: { volume_id: id } };
    },
    disconnect: async () => {},
    stats: async () => undefined,
    sweep: async known => {
      const names = new Set(known.map(disk => disk.name));
      const stale = [...exports].filter(name => !names.has(name));
      for (const name of stale) exports.delete(name);
      return stale.map(name => `export ${name}`);
    },
  };
}
