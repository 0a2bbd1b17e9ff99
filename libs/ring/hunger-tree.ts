import type { Random } from '@folsom/core';
import { must } from '@folsom/core';
import { type BuilderDevice, type Devices, hostOf } from './devices.ts';

/** 32-bit draws without a call to the system for each; for spreading, not for secrets. */
export function fastDraw(random: Random): () => number {
  let state = random.int(0xffff_ffff) + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/**
 * Zones, their hosts, their devices, each level ordered by the hungriest device below it, so that the next home of
 * a replica is found in a few steps whatever the number of devices.
 */
export class HungerTree {
  readonly #devices: Devices<BuilderDevice>;
  readonly #draw: () => number;
  readonly #zones = new HungerHeap();
  readonly #hosts: HungerHeap[] = [];
  readonly #members: HungerHeap[] = [];
  /** By device id: its zone and host here; -1 for devices that take nothing. */
  readonly #zoneOf: Int32Array;
  readonly #hostOf: Int32Array;
  readonly #taken: number[] = [];

  constructor(devices: Devices<BuilderDevice>, random: Random) {
    this.#devices = devices;
    this.#draw = fastDraw(random);
    this.#zoneOf = new Int32Array(devices.length).fill(-1);
    this.#hostOf = new Int32Array(devices.length).fill(-1);
    const zones = new Map<number, number>();
    const hosts = new Map<string, number>();
    for (const device of devices) {
      if (!device?.weight) continue;
      const zone = zones.get(device.zone) ?? zones.size;
      if (zone === zones.size) {
        zones.set(device.zone, zone);
        this.#hosts.push(new HungerHeap());
      }
      const name = `${device.zone}|${hostOf(device)}`;
      const host = hosts.get(name) ?? hosts.size;
      if (host === hosts.size) {
        hosts.set(name, host);
        this.#members.push(new HungerHeap());
      }
      this.#zoneOf[device.id] = zone;
      this.#hostOf[device.id] = host;
      this.#rank(device);
    }
  }

  /**
   * The device for one more replica of a partition whose other replicas are on `others`: in the zone with the
   * fewest of them, there on the host with the fewest, there the device with the fewest; the hungriest among equals.
   * The caller counts the partition to the device after this and before the next call.
   */
  take(others: readonly number[]): number {
    this.#settle();
    const zone = this.#zones.best(others, this.#zoneOf);
    const host = must(this.#hosts[zone], 'zone is in hosts').best(others, this.#hostOf);
    const id = must(this.#members[host], 'host is in members').best(others, null);
    this.#taken.push(id);
    return id;
  }

  #settle(): void {
    for (const id of this.#taken) this.#rank(must(this.#devices[id], 'id is in devices'));
    this.#taken.length = 0;
  }

  #rank(device: BuilderDevice): void {
    const zone = must(this.#zoneOf[device.id], 'device.id is in zoneOf');
    const host = must(this.#hostOf[device.id], 'device.id is in hostOf');
    const members = must(this.#members[host], 'host is in members');
    // Equally hungry devices take turns by chance.
    members.set(device.id, device.parts_wanted * 0x10000 + (this.#draw() & 0xffff));
    must(this.#hosts[zone], 'zone is in hosts').set(host, members.top);
    this.#zones.set(zone, must(this.#hosts[zone], 'zone is in hosts').top);
  }
}

/** A heap of items by key, largest first, whose keys may change. */
class HungerHeap {
  readonly #items: number[] = [];
  readonly #keys: number[] = [];
  readonly #at = new Map<number, number>();

  get top(): number {
    return must(this.#keys[0], 'keys is not empty');
  }

  set(item: number, key: number): void {
    let at = this.#at.get(item);
    if (at === undefined) {
      at = this.#items.length;
      this.#items.push(item);
      this.#keys.push(key);
      this.#at.set(item, at);
      this.#up(at);
      return;
    }
    const before = must(this.#keys[at], 'at is in keys');
    this.#keys[at] = key;
    if (key > before) this.#up(at);
    else this.#down(at);
  }

  /** The item with the fewest of `others` in it (`tierOf` maps them to items), the largest among equals. */
  best(others: readonly number[], tierOf: Int32Array | null): number {
    const counts = new Map<number, number>();
    for (const other of others) {
      const item = tierOf ? must(tierOf[other], 'other is in tierOf') : other;
      if (this.#at.has(item)) counts.set(item, (counts.get(item) ?? 0) + 1);
    }
    if (counts.size === 0) return must(this.#items[0], 'items is not empty');
    if (counts.size < this.#items.length)
      return must(this.#items[this.#bestWithout(0, counts)], 'items has it');
    let fewest = Infinity;
    let found = 0;
    for (const [item, count] of counts) {
      const at = must(this.#at.get(item), 'at has item');
      if (
        count < fewest ||
        (count === fewest &&
          must(this.#keys[at], 'at is in keys') > must(this.#keys[found], 'found is in keys'))
      ) {
        fewest = count;
        found = at;
      }
    }
    return must(this.#items[found], 'found is in items');
  }

  #bestWithout(at: number, without: ReadonlyMap<number, number>): number {
    if (at >= this.#items.length) return -1;
    if (!without.has(must(this.#items[at], 'at is in items'))) return at;
    const left = this.#bestWithout(2 * at + 1, without);
    const right = this.#bestWithout(2 * at + 2, without);
    if (left < 0) return right;
    if (right < 0) return left;
    return must(this.#keys[left], 'left is in keys') >= must(this.#keys[right], 'right is in keys')
      ? left
      : right;
  }

  #up(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (must(this.#keys[parent], 'parent is in keys') >= must(this.#keys[at], 'at is in keys')) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(start: number): void {
    for (let at = start; ; ) {
      const left = 2 * at + 1;
      if (left >= this.#items.length) return;
      const right = left + 1;
      const larger =
        right < this.#items.length &&
        must(this.#keys[right], 'right is in keys') > must(this.#keys[left], 'left is in keys')
          ? right
          : left;
      if (must(this.#keys[at], 'at is in keys') >= must(this.#keys[larger], 'larger is in keys')) return;
      this.#swap(at, larger);
      at = larger;
    }
  }

  #swap(a: number, b: number): void {
    const item = must(this.#items[a], 'a is in items');
    const key = must(this.#keys[a], 'a is in keys');
    this.#items[a] = must(this.#items[b], 'b is in items');
    this.#keys[a] = must(this.#keys[b], 'b is in keys');
    this.#items[b] = item;
    this.#keys[b] = key;
    this.#at.set(must(this.#items[a], 'a is in items'), a);
    this.#at.set(must(this.#items[b], 'b is in items'), b);
  }
}
