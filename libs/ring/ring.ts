import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '@folsom/core';
import { must } from '@folsom/core';
import { type Devices, hostOf, type RingDevice } from './devices.ts';
import { decodeRing, type RingData } from './ring-data.ts';

/** Answers where the replicas of a name live. */
export interface Ring {
  readonly replicaCount: number;
  readonly partitionCount: number;
  readonly partShift: number;
  /** By id, null where removed. */
  readonly devices: Devices;
  /** The partition of a hash's first 32 bits. */
  partition(hashPrefix: number): number;
  /** The devices of a partition's replicas, each once, in the order of replicas. Do not change the array. */
  nodes(partition: number): readonly RingDevice[];
  /** Further devices for hinted handoff, as far from the primaries as the ring allows, in a fixed order. */
  handoffs(partition: number): Generator<RingDevice, void>;
}

/** A ring over data in memory. */
export function ringOf(data: RingData): Ring {
  const { devices, rows, partShift } = data;
  const levels = tierLevels(devices);
  const nodes = (partition: number): readonly RingDevice[] => {
    const found: RingDevice[] = [];
    for (const row of rows) {
      const device = devices[must(row[partition], 'partition is in row')];
      if (device && !found.includes(device)) found.push(device);
    }
    return found;
  };
  return {
    replicaCount: rows.length,
    partitionCount: rows[0]?.length ?? 0,
    partShift,
    devices,
    partition: prefix => (partShift >= 32 ? 0 : prefix >>> partShift),
    nodes,
    *handoffs(partition) {
      const used = new Set<string>();
      for (const device of nodes(partition)) for (const tier of tiersOf(device)) used.add(tier);
      for (const level of levels) {
        const left = [...level];
        while (left.length > 0) {
          const [tier] = left.splice(partition % left.length, 1) as [Tier];
          if (used.has(tier.key)) continue;
          for (let i = 0; i < tier.devices.length; i++) {
            const device = must(tier.devices[(partition + i) % tier.devices.length], 'devices has it');
            if (!device.weight) continue;
            yield device;
            for (const own of tiersOf(device)) used.add(own);
            break;
          }
        }
      }
    },
  };
}

interface Tier {
  key: string;
  zone: number;
  host: string;
  id: number;
  devices: RingDevice[];
}

/** A device's zone, its host within the zone, itself. */
const tiersOf = (device: RingDevice): [string, string, string] => [
  `${device.zone}`,
  `${device.zone}|${hostOf(device)}`,
  `${device.zone}|${hostOf(device)}|${device.id}`,
];

function tierLevels(devices: Devices): Tier[][] {
  const levels = [new Map<string, Tier>(), new Map<string, Tier>(), new Map<string, Tier>()];
  for (const device of devices) {
    if (!device) continue;
    for (const [depth, key] of tiersOf(device).entries()) {
      const level = must(levels[depth], 'depth is in levels');
      let tier = level.get(key);
      if (!tier) {
        tier = { key, zone: device.zone, host: hostOf(device), id: device.id, devices: [] };
        level.set(key, tier);
      }
      tier.devices.push(device);
    }
  }
  return levels.map((level, depth) =>
    [...level.values()].sort(
      (a, b) =>
        a.zone - b.zone ||
        (depth > 0 ? (a.host < b.host ? -1 : a.host > b.host ? 1 : 0) : 0) ||
        (depth > 1 ? a.id - b.id : 0),
    ),
  );
}

export interface RingFileOptions {
  path: string;
  clock: Clock;
  /** How long a read ring is used before the file's time is looked at again, milliseconds. */
  reloadMs?: number;
}

/**
 * A ring that follows its file: when it is used, and the last look was `reloadMs` ago, the file's time is compared
 * and the ring read again if it changed. A file that cannot be read then leaves the ring as it was.
 * @throws when the file cannot be read the first time.
 */
export function openRing({ path, clock, reloadMs = 15_000 }: RingFileOptions): Ring {
  let readAt = statSync(path).mtimeMs;
  let ring = ringOf(decodeRing(readFileSync(path)));
  let lookAt = clock.monotonic() + reloadMs;
  const current = (): Ring => {
    const now = clock.monotonic();
    if (now < lookAt) return ring;
    lookAt = now + reloadMs;
    const mtime = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (mtime === undefined || mtime === readAt) return ring;
    try {
      ring = ringOf(decodeRing(readFileSync(path)));
      readAt = mtime;
    } catch {
      // A ring being copied over is complete at the next look; until then the one in memory serves.
    }
    return ring;
  };
  return {
    get replicaCount() {
      return current().replicaCount;
    },
    get partitionCount() {
      return current().partitionCount;
    },
    get partShift() {
      return current().partShift;
    },
    get devices() {
      return current().devices;
    },
    partition: prefix => current().partition(prefix),
    nodes: partition => current().nodes(partition),
    handoffs: partition => current().handoffs(partition),
  };
}
