import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Clock, seededRandom, systemClock } from '@folsom/core';
import { pickle } from '@folsom/pickle';
import { processorMs } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import {
  addDevice,
  decodeBuilder,
  decodeRing,
  EmptyRingError,
  encodeBuilder,
  encodeRing,
  hostOf,
  newBuilder,
  openRing,
  pretendMinPartHoursPassed,
  type RingBuilder,
  rebalance,
  removeDevice,
  ringBalance,
  ringDataOf,
  ringOf,
  setDeviceWeight,
  validate,
} from './index.ts';

const fixture = (name: string) => readFileSync(new URL(`../../test/fixtures/swift/${name}`, import.meta.url));

/** Devices spread over `zones` zones with `hosts` hosts each. */
function builderWith(
  { power = 8, replicas = 3, hours = 1 },
  devices: { zone: number; host?: number; weight?: number }[],
): RingBuilder {
  const builder = newBuilder(power, replicas, hours);
  devices.forEach(({ zone, host = 0, weight = 100 }, id) => {
    addDevice(builder, {
      id,
      zone,
      ip: `10.${zone}.${host}.1`,
      port: 6000,
      device: `sd${id}`,
      weight,
      meta: '',
    });
  });
  return builder;
}

const HOUR = 3600;
const at = (nowSeconds: number, seed = 1) => ({ nowSeconds, random: seededRandom(seed) });

/** How many zones, hosts and devices the replicas of each partition use, the smallest over all partitions. */
function spread(builder: RingBuilder): { zones: number; hosts: number; devices: number } {
  const smallest = { zones: Infinity, hosts: Infinity, devices: Infinity };
  for (let part = 0; part < builder.parts; part++) {
    const devices = builder.rows!.map(row => builder.devices[row[part]!]!);
    smallest.zones = Math.min(smallest.zones, new Set(devices.map(device => device.zone)).size);
    smallest.hosts = Math.min(smallest.hosts, new Set(devices.map(hostOf)).size);
    smallest.devices = Math.min(smallest.devices, new Set(devices.map(device => device.id)).size);
  }
  return smallest;
}

const movedReplicas = (before: RingBuilder, after: RingBuilder): number[] =>
  Array.from({ length: before.parts }, (_, part) =>
    before.rows!.reduce((sum, row, replica) => sum + (row[part] === after.rows![replica]![part] ? 0 : 1), 0),
  );

const copy = (builder: RingBuilder): RingBuilder => decodeBuilder(encodeBuilder(builder));

describe('files made by swift 1.7.4', () => {
  it.each(['account', 'container', 'object'])('%s: builder and ring read back the same', name => {
    const builder = decodeBuilder(fixture(`${name}.builder`));
    const ring = decodeRing(fixture(`${name}.ring.gz`));
    validate(builder);
    expect(ringBalance(builder)).toBe(0);
    expect(ring).toEqual(ringDataOf(builder));
    expect(copy(builder)).toEqual(builder);
    expect(decodeRing(encodeRing(ring))).toEqual(ring);
    expect(ring.rows).toHaveLength(3);
    expect(spread(builder).zones).toBe(3);
  });

  it('reads the pickled rings and builder objects of earlier versions', () => {
    const row = Uint16Array.from([0, 1]);
    const old = pickle({ devs: [], part_shift: 31, replica2part2dev_id: [row] });
    expect(decodeRing(gzipSync(old))).toEqual({ devices: [], partShift: 31, rows: [row] });
    const state = pickle({ ...unpickled(encodeBuilder(newBuilder(1, 1, 1))) }).subarray(2, -1);
    const object = Buffer.concat([
      Buffer.from('\x80\x02cswift.common.ring.builder\nRingBuilder\n)\x81', 'latin1'),
      state,
      Buffer.from('b.'),
    ]);
    expect(decodeBuilder(object)).toEqual(newBuilder(1, 1, 1));
  });

  it('refuses what is no ring', () => {
    expect(() => decodeRing(Buffer.from('xyz'))).toThrow('not a ring file');
    expect(() => decodeRing(gzipSync(Buffer.from('R1NG\0\x02')))).toThrow();
    expect(() => decodeRing(gzipSync(Buffer.from('R1NG\0\x01\0\0\xff\xff')))).toThrow('cut short');
    expect(() => decodeBuilder(Buffer.from('cos\nsystem\n(S"id"\ntR.'))).toThrow('is not data');
  });
});

const unpickled = (bytes: Buffer) => {
  const builder = decodeBuilder(bytes);
  return {
    part_power: builder.partPower,
    replicas: builder.replicas,
    min_part_hours: builder.minPartHours,
    parts: builder.parts,
    devs: [],
    devs_changed: false,
    version: 0,
    _replica2part2dev: null,
    _last_part_moves_epoch: null,
    _last_part_moves: null,
    _last_part_gather_start: 0,
    _remove_devs: [],
  };
};

describe('placement', () => {
  it('spreads replicas over zones, then hosts, then devices', () => {
    const zones = builderWith(
      {},
      [1, 2, 3, 4].flatMap(zone => [{ zone }, { zone }]),
    );
    rebalance(zones, at(0));
    expect(spread(zones)).toEqual({ zones: 3, hosts: 3, devices: 3 });
    const hosts = builderWith(
      {},
      [0, 1, 2].map(host => ({ zone: 1, host })),
    );
    rebalance(hosts, at(0));
    expect(spread(hosts)).toEqual({ zones: 1, hosts: 3, devices: 3 });
    const devices = builderWith({}, Array(3).fill({ zone: 1 }));
    rebalance(devices, at(0));
    expect(spread(devices)).toEqual({ zones: 1, hosts: 1, devices: 3 });
    const two = builderWith({}, [{ zone: 1 }, { zone: 2 }]);
    rebalance(two, at(0));
    expect(spread(two).zones).toBe(2);
    for (const builder of [zones, hosts, devices, two]) validate(builder);
  });

  it.each([1, 2, 3, 4, 5])('keeps to the weights within one per cent (seed %i)', seed => {
    const random = seededRandom(seed);
    const devices = Array.from({ length: 60 }, (_, i) => ({
      zone: i % 6,
      host: Math.floor(i / 6) % 5,
      weight: 50 + random.int(100),
    }));
    const builder = builderWith({ power: 14 }, devices);
    expect(rebalance(builder, at(0, seed)).balance).toBeLessThan(1);
    validate(builder);
    expect(spread(builder).zones).toBe(3);
  });

  it('moves one replica of a partition at most within min_part_hours', () => {
    const builder = builderWith(
      { power: 10, hours: 24 },
      [1, 2, 3].map(zone => ({ zone })),
    );
    rebalance(builder, at(0));
    for (const [i, zone] of [4, 5, 6].entries()) {
      addDevice(builder, {
        id: 3 + i,
        zone,
        ip: '10.9.9.9',
        port: 6000,
        device: `x${i}`,
        weight: 100,
        meta: '',
      });
    }
    const first = copy(builder);
    expect(rebalance(builder, at(HOUR)).moved).toBe(0);
    pretendMinPartHoursPassed(builder);
    rebalance(builder, at(2 * HOUR));
    expect(Math.max(...movedReplicas(first, builder))).toBe(1);
    const second = copy(builder);
    expect(rebalance(builder, at(3 * HOUR)).moved).toBe(0);
    expect(rebalance(builder, at(30 * HOUR)).moved).toBeGreaterThan(0);
    expect(Math.max(...movedReplicas(second, builder))).toBe(1);
    expect(ringBalance(builder)).toBeLessThan(1);
    validate(builder);
  });

  it('takes everything from removed and drained devices, and no more than that', () => {
    const builder = builderWith(
      { power: 10 },
      [1, 2, 3, 4, 5].map(zone => ({ zone })),
    );
    rebalance(builder, at(0));
    const before = copy(builder);
    removeDevice(builder, 1);
    rebalance(builder, at(10));
    expect(builder.devices[1]).toBeNull();
    expect(builder.rows!.some(row => row.includes(1))).toBe(false);
    expect(movedReplicas(before, builder).reduce((sum, moved) => sum + moved, 0)).toBe(
      before.devices[1]!.parts,
    );
    setDeviceWeight(builder, 2, 0);
    rebalance(builder, at(10 * HOUR));
    expect(builder.devices[2]!.parts).toBe(0);
    expect(spread(builder).zones).toBe(3);
    validate(builder);
  });

  it('brings replicas apart when a second zone arrives', () => {
    const builder = builderWith({ power: 8, hours: 0 }, Array(4).fill({ zone: 1 }));
    rebalance(builder, at(0));
    for (let id = 4; id < 12; id++) {
      addDevice(builder, {
        id,
        zone: 2 + (id % 2),
        ip: `10.${id}.0.1`,
        port: 1,
        device: 'a',
        weight: 100,
        meta: '',
      });
    }
    for (let hour = 1; hour < 5; hour++) rebalance(builder, at(hour * HOUR, hour));
    expect(spread(builder).zones).toBe(3);
  });

  it('says when there is nothing to place on', () => {
    expect(() => rebalance(newBuilder(4, 3, 1), at(0))).toThrow(EmptyRingError);
  });

  it('places 2^18 partitions on 1,000 devices in seconds', async () => {
    const devices = Array.from({ length: 1000 }, (_, i) => ({ zone: i % 10, host: Math.floor(i / 10) % 10 }));
    const builder = builderWith({ power: 18 }, devices);
    expect(await processorMs(() => rebalance(builder, at(0)))).toBeLessThan(15_000);
    expect(ringBalance(builder)).toBeLessThan(1);
  }, 240_000);
});

describe('lookup', () => {
  const builder = builderWith(
    { power: 6 },
    [1, 1, 2, 2, 3, 3, 4, 4].map((zone, i) => ({ zone, host: i % 2 })),
  );
  rebalance(builder, at(0));
  const ring = ringOf(ringDataOf(builder));

  it('gives every primary once and every other device as a handoff, new zones first', () => {
    for (let part = 0; part < ring.partitionCount; part++) {
      const primaries = ring.nodes(part);
      expect(primaries.map(device => device.id)).toEqual(builder.rows!.map(row => row[part]));
      const handoffs = [...ring.handoffs(part)];
      expect(new Set([...primaries, ...handoffs].map(device => device.id)).size).toBe(8);
      expect(primaries.some(device => device.zone === handoffs[0]!.zone)).toBe(false);
      expect(handoffs.map(device => device.id)).toEqual([...ring.handoffs(part)].map(device => device.id));
    }
  });

  it('starts with another handoff from partition to partition, and in zones, hosts and devices that hold nothing', () => {
    const wide = builderWith(
      { power: 6, replicas: 2 },
      [0, 1, 2, 3, 4, 5, 6, 7].flatMap(host => [0, 1].map(() => ({ zone: 1, host }))),
    );
    rebalance(wide, at(0));
    const hosts = ringOf(ringDataOf(wide));
    const first = new Map<string, Set<number>>();
    for (let part = 0; part < hosts.partitionCount; part++) {
      const primaries = hosts.nodes(part);
      const handoffs = [...hosts.handoffs(part)];
      const onHosts = [...primaries, ...handoffs].slice(0, 8).map(device => device.ip);
      expect(new Set(onHosts).size).toBe(8);
      const key = primaries
        .map(device => device.ip)
        .sort()
        .join();
      first.set(key, (first.get(key) ?? new Set()).add(handoffs[0]!.id));
    }
    expect(new Set([...first.values()].flatMap(ids => [...ids])).size).toBeGreaterThan(6);
  });

  it('names a device that holds two replicas once', () => {
    const single = builderWith({ power: 3 }, [{ zone: 1 }]);
    rebalance(single, at(0));
    expect(ringOf(ringDataOf(single)).nodes(0)).toHaveLength(1);
  });

  it('takes the partition from the top bits of the hash', () => {
    expect(ring.partition(0xffffffff)).toBe(63);
    expect(ring.partition(0)).toBe(0);
    expect(ring.partition(0x04000000)).toBe(1);
  });

  it('answers in under a microsecond', async () => {
    const big = ringOf(ringDataOf(builder));
    let found = 0;
    for (let i = 0; i < 20_000; i++) found += big.nodes(i & 63).length;
    const ms = await processorMs(() => {
      for (let i = 0; i < 100_000; i++) found += big.nodes(i & 63).length;
    });
    expect(ms / 100).toBeLessThan(5);
    expect(found).toBe(360_000);
  });

  it('follows its file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ring-'));
    try {
      const path = join(folder, 'object.ring.gz');
      writeFileSync(path, encodeRing(ringDataOf(builder)));
      let now = 0;
      const clock: Clock = { ...systemClock, monotonic: () => now };
      const open = openRing({ path, clock });
      expect(open.partitionCount).toBe(64);
      const smaller = builderWith({ power: 2 }, [{ zone: 1 }]);
      rebalance(smaller, at(0));
      writeFileSync(path, encodeRing(ringDataOf(smaller)));
      utimesSync(path, 1, 1);
      expect(open.partitionCount).toBe(64);
      now = 16_000;
      expect(open.partitionCount).toBe(4);
      writeFileSync(path, 'half a ring');
      utimesSync(path, 2, 2);
      now = 40_000;
      expect(open.partitionCount).toBe(4);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
