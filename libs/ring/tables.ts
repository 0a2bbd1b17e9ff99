import { must } from '@folsom/core';
import { deviceBalance, liveDevices, partsPerWeight, type RingBuilder, ringBalance } from './builder.ts';
import { Refused } from './command.ts';
import type { BuilderDevice } from './devices.ts';
import { searchDevices } from './search.ts';

const HEADER = 'Devices:    id  zone      ip address  port      name weight partitions balance meta';

/** The three lines above the table of devices. */
export function ringSummary(builder: RingBuilder, name: string): string[] {
  const devices = liveDevices(builder);
  const zones = new Set(devices.map(device => device.zone)).size;
  const balance = builder.devices.length > 0 ? ringBalance(builder) : 0;
  return [
    `${name}, build version ${builder.version}`,
    `${builder.parts} partitions, ${builder.replicas} replicas, ${zones} zones, ${devices.length} devices, ` +
      `${balance.toFixed(2)} balance`,
    `The minimum number of hours before a partition can be reassigned is ${builder.minPartHours}`,
  ];
}

export const deviceTable = (
  builder: RingBuilder,
  devices: readonly BuilderDevice[] = liveDevices(builder),
): string[] => {
  const perWeight = partsPerWeight(builder);
  return [HEADER, ...devices.map(device => deviceRow(device, deviceBalance(device, perWeight)))];
};

export function searchTable(builder: RingBuilder, value: string): string[] {
  const devices = searchDevices(builder, value);
  if (devices.length === 0) throw new Refused('No matching devices found');
  return deviceTable(builder, devices);
}

const deviceRow = (device: BuilderDevice, balance: number): string =>
  [
    ' '.repeat(8),
    String(device.id).padStart(5),
    String(device.zone).padStart(5),
    device.ip.padStart(15),
    String(device.port).padStart(5),
    device.device.padStart(9),
    device.weight.toFixed(2).padStart(6),
    String(device.parts).padStart(10),
    balance.toFixed(2).padStart(7),
    device.meta,
  ].join(' ');

/** How many replicas of each partition are on the matching devices, most first. */
export function listParts(builder: RingBuilder, values: readonly string[]): string[] {
  const wanted = new Set(values.flatMap(value => searchDevices(builder, value)).map(device => device.id));
  if (wanted.size === 0) throw new Refused('No matching devices found');
  if (!builder.rows) throw new TypeError('the ring has not been rebalanced yet');
  const byCount: number[][] = Array.from({ length: builder.replicas + 1 }, () => []);
  for (let part = 0; part < builder.parts; part++) {
    let count = 0;
    for (const row of builder.rows) if (wanted.has(must(row[part], 'part is in row'))) count++;
    if (count > 0) must(byCount[count], 'count is in byCount').push(part);
  }
  const lines = ['Partition   Matches'];
  for (let count = builder.replicas; count > 0; count--) {
    for (const part of must(byCount[count], 'count is in byCount'))
      lines.push(`${String(part).padStart(9)}   ${String(count).padStart(7)}`);
  }
  return lines;
}
