import type { Random } from '@folsom/core';
import { must } from '@folsom/core';
import { type RingBuilder, ringBalance } from './builder.ts';
import { hostOf } from './devices.ts';
import { fastDraw, HungerTree } from './hunger-tree.ts';

/** A partition and the replicas of it that need a new device. */
interface Move {
  part: number;
  replicas: readonly number[];
}

/**
 * Assigns partitions to devices, or moves as few as needed after devices changed: those of removed devices, those
 * whose replicas are closer together than they need to be, and those of devices that have too many. A partition
 * moved within the last `minPartHours` stays where it is unless its device is gone.
 * Repeats while that gains at least one per cent.
 *
 * @param nowSeconds seconds since the epoch
 * @returns how many partitions moved, and the resulting balance in per cent.
 */
export function rebalance(
  builder: RingBuilder,
  { nowSeconds, random }: { nowSeconds: number; random: Random },
): { moved: number; balance: number } {
  const now = Math.floor(nowSeconds);
  if (builder.lastPartMovesEpoch === null || !builder.rows) {
    ringBalance(builder);
    assignAll(builder, now, random);
    builder.devicesChanged = false;
    return { moved: builder.parts, balance: ringBalance(builder) };
  }
  ageMoves(builder, now);
  let moved = 0;
  let last = 0;
  let balance: number;
  for (;;) {
    const moves = gather(builder, random);
    place(builder, moves, random);
    moved += moves.length;
    for (const id of builder.removed) builder.devices[id] = null;
    builder.removed = [];
    balance = ringBalance(builder);
    if (balance < 1 || Math.abs(last - balance) < 1 || moved === builder.parts) break;
    last = balance;
  }
  builder.devicesChanged = false;
  builder.version += 1;
  return { moved, balance };
}

function assignAll(builder: RingBuilder, now: number, random: Random): void {
  builder.rows = Array.from({ length: builder.replicas }, () => new Uint16Array(builder.parts));
  builder.lastPartMoves = new Uint8Array(builder.parts);
  builder.lastPartMovesEpoch = now;
  const replicas = Array.from({ length: builder.replicas }, (_, replica) => replica);
  const moves = Array.from({ length: builder.parts }, (_, part) => ({ part, replicas }));
  place(builder, moves, random);
}

function ageMoves(builder: RingBuilder, now: number): void {
  const hours = Math.floor((now - must(builder.lastPartMovesEpoch, 'lastPartMovesEpoch is there')) / 3600);
  const moves = must(builder.lastPartMoves, 'lastPartMoves is there');
  if (hours !== 0) {
    for (let part = 0; part < moves.length; part++) {
      moves[part] = Math.max(0, Math.min(must(moves[part], 'part is in moves') + hours, 0xff));
    }
  }
  builder.lastPartMovesEpoch = now;
}

/** Which replicas have to move, in a random order; takes them off their devices. */
function gather(builder: RingBuilder, random: Random): Move[] {
  const { parts, replicas, devices, minPartHours } = builder;
  const rows = must(builder.rows, 'rows is there');
  const ages = must(builder.lastPartMoves, 'lastPartMoves is there');
  const chosen = new Map<number, number[]>();
  const choose = (part: number, replica: number) => {
    ages[part] = 0;
    const list = chosen.get(part);
    if (list) list.push(replica);
    else chosen.set(part, [replica]);
  };

  // What was on removed devices has no choice.
  const gone = new Uint8Array(devices.length);
  for (const id of builder.removed) if (devices[id]?.parts) gone[id] = 1;
  if (gone.includes(1)) {
    for (let replica = 0; replica < replicas; replica++) {
      const row = must(rows[replica], 'replica is in rows');
      for (let part = 0; part < parts; part++)
        if (gone[must(row[part], 'part is in row')]) choose(part, replica);
    }
  }

  // Replicas of one partition that share more of a zone, host or device than they have to.
  const tiers = tierTable(builder);
  const fixed = new Set(chosen.keys());
  for (let part = 0; part < parts; part++) {
    if (must(ages[part], 'part is in ages') < minPartHours || fixed.has(part)) continue;
    for (let replica = 0; replica < replicas; replica++) {
      const id = must(must(rows[replica], 'replica is in rows')[part], 'part is in rows');
      if (!tooClose(rows, part, id, tiers, chosen.get(part))) continue;
      const device = must(devices[id], 'id is in devices');
      device.parts_wanted += 1;
      device.parts -= 1;
      choose(part, replica);
      // having moved now, the partition's other replicas have to wait
      if (minPartHours > 0) break;
    }
  }

  // Devices that have too many give away, starting somewhere else each time.
  const start = Math.floor(builder.lastPartGatherStart / 4) + random.int(Math.floor(parts / 2) + 1);
  builder.lastPartGatherStart = start;
  const before = new Set(chosen.keys());
  for (let replica = 0; replica < replicas; replica++) {
    const row = must(rows[replica], 'replica is in rows');
    for (let i = 0; i < parts; i++) {
      const part = (start + i) % parts;
      if (must(ages[part], 'part is in ages') < minPartHours || before.has(part)) continue;
      const device = must(devices[must(row[part], 'part is in row')], 'row[part] is in devices');
      if (device.parts_wanted >= 0) continue;
      device.parts_wanted += 1;
      device.parts -= 1;
      choose(part, replica);
    }
  }
  return shuffle(
    [...chosen].map(([part, list]) => ({ part, replicas: list })),
    random,
  );
}

interface TierTable {
  zone: Int32Array;
  host: Int32Array;
  zoneMax: number;
  /** By zone index. */
  hostMax: Float64Array;
  /** By host index. */
  deviceMax: Float64Array;
}

/** The most replicas of one partition that a zone, a host and a device may hold when all are spread evenly. */
function tierTable(builder: RingBuilder): TierTable {
  const zones = new Map<number, number>();
  const hosts = new Map<string, number>();
  const zone = new Int32Array(builder.devices.length).fill(-1);
  const host = new Int32Array(builder.devices.length).fill(-1);
  const hostsIn: Set<number>[] = [];
  const devicesIn: number[] = [];
  const zoneOf: number[] = [];
  for (const device of builder.devices) {
    if (!device) continue;
    const zoneIndex = indexFor(zones, device.zone);
    const hostIndex = indexFor(hosts, `${device.zone}|${hostOf(device)}`);
    zone[device.id] = zoneIndex;
    host[device.id] = hostIndex;
    hostsIn[zoneIndex] = (hostsIn[zoneIndex] ?? new Set<number>()).add(hostIndex);
    devicesIn[hostIndex] = (devicesIn[hostIndex] ?? 0) + 1;
    zoneOf[hostIndex] = zoneIndex;
  }
  const zoneMax = Math.ceil(builder.replicas / Math.max(1, zones.size));
  const hostMax = Float64Array.from(hostsIn, own => Math.ceil(zoneMax / own.size));
  const deviceMax = Float64Array.from(devicesIn, (count, index) =>
    Math.ceil(
      must(hostMax[must(zoneOf[index], 'index is in zoneOf')], 'zoneOf[index] is in hostMax') / count,
    ),
  );
  return { zone, host, zoneMax, hostMax, deviceMax };
}

function indexFor<K>(indexes: Map<K, number>, key: K): number {
  const known = indexes.get(key);
  if (known !== undefined) return known;
  indexes.set(key, indexes.size);
  return indexes.size - 1;
}

function tooClose(
  rows: readonly Uint16Array[],
  part: number,
  id: number,
  tiers: TierTable,
  taken: readonly number[] | undefined,
): boolean {
  const zone = must(tiers.zone[id], 'id is in zone');
  const host = must(tiers.host[id], 'id is in host');
  let inZone = 0;
  let onHost = 0;
  let onDevice = 0;
  for (let replica = 0; replica < rows.length; replica++) {
    if (taken?.includes(replica)) continue;
    const other = must(must(rows[replica], 'replica is in rows')[part], 'part is in rows');
    if (tiers.zone[other] !== zone) continue;
    inZone++;
    if (tiers.host[other] !== host) continue;
    onHost++;
    if (other === id) onDevice++;
  }
  return (
    inZone > tiers.zoneMax ||
    onHost > must(tiers.hostMax[zone], 'zone is in hostMax') ||
    onDevice > must(tiers.deviceMax[host], 'host is in deviceMax')
  );
}

/** Gives each move the hungriest device among those farthest from the partition's other replicas. */
function place(builder: RingBuilder, moves: readonly Move[], random: Random): void {
  const rows = must(builder.rows, 'rows is there');
  const tree = new HungerTree(builder.devices, random);
  const others: number[] = [];
  for (const { part, replicas } of moves) {
    others.length = 0;
    for (let replica = 0; replica < rows.length; replica++) {
      if (!replicas.includes(replica))
        others.push(must(must(rows[replica], 'replica is in rows')[part], 'part is in rows'));
    }
    for (const replica of replicas) {
      const id = tree.take(others);
      const device = must(builder.devices[id], 'id is in devices');
      device.parts_wanted -= 1;
      device.parts += 1;
      must(rows[replica], 'replica is in rows')[part] = id;
      others.push(id);
    }
  }
}

function shuffle<T>(items: T[], random: Random): T[] {
  const draw = fastDraw(random);
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor((draw() / 2 ** 32) * (i + 1));
    [items[i], items[j]] = [must(items[j], 'j is in items'), must(items[i], 'i is in items')];
  }
  return items;
}
