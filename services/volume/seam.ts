import { isFault, type keyedMutex, type Logger, metricsOf, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageClient } from '@folsom/nova/image-transfer';
import { type VolumeSnapshotRow, volumeSnapshotById } from '@folsom/nova/volume-snapshots';
import { type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { Disk, SnapshotDisk, VolumeDriver } from './driver.ts';
import { volumeMetrics } from './metrics.ts';
import type { UsageNotifier } from './notifications.ts';
import type { VolumeSettings } from './settings.ts';

/** Told every step of every operation before it runs; tests end the process here. */
export type StepObserver = (operation: string, step: string, id: string) => void | Promise<void>;

/** What every operation of nova-volume works with. */
export interface VolumeSeam {
  db: Database;
  world: World;
  log: Logger;
  host: string;
  settings: VolumeSettings;
  driver: VolumeDriver;
  images: ImageClient;
  notify: UsageNotifier;
  /** One thing at a time is done to a volume and its snapshots. */
  inTurn: ReturnType<typeof keyedMutex>;
  /** Volumes and snapshots that are worked on, or whose message comes again: no audit takes them for abandoned. */
  busy: Set<string>;
  observe: StepObserver | undefined;
}

export const nowOf = (seam: VolumeSeam): number => seam.world.clock.now();

/** Runs one named part of an operation. Each may run again after it was cut short. */
export async function step<T>(
  seam: VolumeSeam,
  operation: string,
  name: string,
  id: string,
  work: () => Promise<T>,
): Promise<T> {
  await seam.observe?.(operation, name, id);
  const { clock } = seam.world;
  const began = clock.monotonic();
  const count = (outcome: string) =>
    metricsOf(seam.world).observe(
      volumeMetrics.steps,
      [operation, name, outcome],
      (clock.monotonic() - began) / 1000,
    );
  try {
    const result = await work();
    count('ok');
    return result;
  } catch (error) {
    count('failed');
    throw error;
  }
}

const named = (template: string, id: string): string => template.replace('%s', id);

export const diskOf = (seam: VolumeSeam, row: VolumeRow): Disk => ({
  id: row.id,
  name: named(seam.settings.volume_name_template, row.id),
  size: row.size,
  provider_location: row.provider_location,
  provider_auth: row.provider_auth,
});

export const snapshotDiskOf = (seam: VolumeSeam, row: VolumeSnapshotRow): SnapshotDisk => ({
  id: row.id,
  name: named(seam.settings.snapshot_name_template, row.id),
  volumeName: named(seam.settings.volume_name_template, row.volume_id),
  size: row.volume_size,
});

const unless = <T>(fault: string, found: Promise<T>): Promise<T | undefined> =>
  found.catch(error => {
    if (!isFault(error, fault)) throw error;
    return undefined;
  });

/** The row; undefined when there is none. A database that is away is an error. */
export const presentVolume = (seam: VolumeSeam, id: string): Promise<VolumeRow | undefined> =>
  unless('VolumeNotFound', volumeById(seam.db.knex, id));

export const presentSnapshot = (seam: VolumeSeam, id: string): Promise<VolumeSnapshotRow | undefined> =>
  unless('SnapshotNotFound', volumeSnapshotById(seam.db.knex, id));
