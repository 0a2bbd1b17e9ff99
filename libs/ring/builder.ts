import { must } from '@folsom/core';
import type { BuilderDevice, Devices } from './devices.ts';
import type { RingData } from './ring-data.ts';

/** Everything a `.builder` file holds: the devices, who has which partition, and when each was last moved. */
export interface RingBuilder {
  partPower: number;
  replicas: number;
  minPartHours: number;
  /** 2 ** partPower */
  parts: number;
  devices: Devices<BuilderDevice>;
  /** Whether devices changed since the last rebalance. */
  devicesChanged: boolean;
  version: number;
  /** One row a replica, partition → device id; null before the first rebalance. */
  rows: Uint16Array[] | null;
  /** Seconds since the epoch that `lastPartMoves` counts from; null before the first rebalance. */
  lastPartMovesEpoch: number | null;
  /** Hours since each partition was moved, at most 255. */
  lastPartMoves: Uint8Array | null;
  lastPartGatherStart: number;
  /** Ids of devices that go at the next rebalance. */
  removed: number[];
}

/** The ring cannot be made: no devices, or their weights are all zero. */
export class EmptyRingError extends Error {
  override readonly name = 'EmptyRingError';
  constructor() {
    super('There are no devices in this ring, or all devices have been deleted');
  }
}

export class RingValidationError extends Error {
  override readonly name = 'RingValidationError';
}

/** Shown for a device that should have nothing and has something. */
const WORST_BALANCE = 999.99;

export function newBuilder(partPower: number, replicas: number, minPartHours: number): RingBuilder {
  return {
    partPower,
    replicas,
    minPartHours,
    parts: 2 ** partPower,
    devices: [],
    devicesChanged: false,
    version: 0,
    rows: null,
    lastPartMovesEpoch: null,
    lastPartMoves: null,
    lastPartGatherStart: 0,
    removed: [],
  };
}

export const liveDevices = (builder: RingBuilder): BuilderDevice[] =>
  builder.devices.filter(device => device !== null);

/** How many replica-partitions one unit of weight is worth. */
export function partsPerWeight(builder: RingBuilder): number {
  const weight = liveDevices(builder).reduce((sum, device) => sum + device.weight, 0);
  if (weight === 0) throw new EmptyRingError();
  return (builder.parts * builder.replicas) / weight;
}

/** Recomputes how many more (or, negative, fewer) partitions each device should have. */
export function setPartsWanted(builder: RingBuilder): void {
  const perWeight = partsPerWeight(builder);
  for (const device of liveDevices(builder)) {
    device.parts_wanted = device.weight
      ? Math.trunc(perWeight * device.weight) - device.parts
      : -builder.parts * builder.replicas;
  }
}

export function addDevice(builder: RingBuilder, device: Omit<BuilderDevice, 'parts' | 'parts_wanted'>): void {
  if (builder.devices[device.id]) throw new RangeError(`Duplicate device id: ${device.id}`);
  while (device.id >= builder.devices.length) builder.devices.push(null);
  builder.devices[device.id] = { ...device, parts: 0, parts_wanted: 0 };
  changed(builder);
}

/** The id the next added device gets: one more than the highest in use. */
export const nextDeviceId = (builder: RingBuilder): number =>
  liveDevices(builder).reduce((highest, device) => Math.max(highest, device.id), -1) + 1;

export function setDeviceWeight(builder: RingBuilder, id: number, weight: number): void {
  deviceOf(builder, id).weight = weight;
  changed(builder);
}

/** Marks a device to go at the next rebalance. @throws EmptyRingError when it is the last with a weight. */
export function removeDevice(builder: RingBuilder, id: number): void {
  deviceOf(builder, id).weight = 0;
  builder.removed.push(id);
  changed(builder);
}

function changed(builder: RingBuilder): void {
  setPartsWanted(builder);
  builder.devicesChanged = true;
  builder.version += 1;
}

function deviceOf(builder: RingBuilder, id: number): BuilderDevice {
  const device = builder.devices[id];
  if (!device) throw new RangeError(`no device ${id}`);
  return device;
}

/** How far a device is from its share, in per cent; positive when it has too much. */
export function deviceBalance(device: BuilderDevice, perWeight: number): number {
  if (!device.weight) return device.parts ? WORST_BALANCE : 0;
  return (100 * device.parts) / (device.weight * perWeight) - 100;
}

/** The worst device's distance from its share, in per cent. */
export function ringBalance(builder: RingBuilder): number {
  const perWeight = partsPerWeight(builder);
  let worst = 0;
  for (const device of liveDevices(builder)) {
    if (!device.weight && device.parts) return WORST_BALANCE;
    worst = Math.max(worst, Math.abs(deviceBalance(device, perWeight)));
  }
  return worst;
}

/** @throws RingValidationError when a partition is not where the devices say, or nowhere. */
export function validate(builder: RingBuilder): void {
  const counted = liveDevices(builder).reduce((sum, device) => sum + device.parts, 0);
  const expected = builder.parts * builder.replicas;
  if (counted !== expected) {
    throw new RingValidationError(`All partitions are not double accounted for: ${counted} != ${expected}`);
  }
  const live = builder.devices.map(device => device !== null);
  for (const [replica, row] of (builder.rows ?? []).entries()) {
    for (let part = 0; part < builder.parts; part++) {
      if (!live[must(row[part], 'part is in row')]) {
        throw new RingValidationError(`Partition ${part}, replica ${replica} was not allocated to a device.`);
      }
    }
  }
}

/** Lets every partition move at the next rebalance. */
export function pretendMinPartHoursPassed(builder: RingBuilder): void {
  if (!builder.lastPartMoves) throw new RingValidationError('the ring has not been rebalanced yet');
  builder.lastPartMoves.fill(0xff);
}

/** The ring that goes out to the servers. */
export const ringDataOf = (builder: RingBuilder): RingData => ({
  devices: builder.devices.map(device => {
    if (!device) return null;
    const { parts: _parts, parts_wanted: _wanted, ...shown } = device;
    return shown;
  }),
  partShift: 32 - builder.partPower,
  rows: (builder.rows ?? []).map(row => row.slice()),
});
