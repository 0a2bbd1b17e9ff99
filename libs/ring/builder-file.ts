import { must } from '@folsom/core';
import { isDict, type Pickled, pickle, pyFloat, unpickle } from '@folsom/pickle';
import type { RingBuilder } from './builder.ts';
import type { BuilderDevice } from './devices.ts';
import { ARRAY_GLOBAL, objectGlobals, RingFileError } from './ring-data.ts';

const BUILDER_CLASSES = [
  'swift.common.ring.builder.RingBuilder',
  'swift.common.ring.RingBuilder',
  'swift.ring_builder.RingBuilder',
  'swift.common.ring.ring.RingData',
  'swift.common.ring.RingData',
];

/** Reads a `.builder` file: the pickled dictionary of swift 1.7, or the pickled object of earlier versions. */
export function decodeBuilder(file: Uint8Array): RingBuilder {
  const value = unpickle(file, {
    allow: {
      ...ARRAY_GLOBAL,
      ...objectGlobals(BUILDER_CLASSES),
      'copy_reg._reconstructor': () => Object.create(null) as Record<string, Pickled>,
      '__builtin__.object': () => null,
    },
  });
  if (!isDict(value) || !Array.isArray(value.devs)) throw new RingFileError('the file holds no ring builder');
  const devices = (value.devs as Pickled[]).map(deviceFrom);
  const rows = value._replica2part2dev as readonly ArrayLike<number>[] | null;
  const moves = value._last_part_moves as ArrayLike<number> | null;
  const parts = whole(value, 'parts');
  const builder: RingBuilder = {
    partPower: whole(value, 'part_power'),
    replicas: whole(value, 'replicas'),
    minPartHours: whole(value, 'min_part_hours'),
    parts,
    devices,
    devicesChanged: value.devs_changed === true,
    version: whole(value, 'version'),
    rows: rows && rows.length > 0 ? rows.map(row => Uint16Array.from(row)) : null,
    lastPartMovesEpoch:
      typeof value._last_part_moves_epoch === 'number' ? value._last_part_moves_epoch : null,
    lastPartMoves: moves ? Uint8Array.from(moves) : null,
    lastPartGatherStart: whole(value, '_last_part_gather_start'),
    removed: ((value._remove_devs ?? []) as Pickled[]).map(
      item => must(deviceFrom(item), 'deviceFrom gives something').id,
    ),
  };
  if (builder.rows?.some(row => row.length !== parts))
    throw new RingFileError('the builder has rows of a wrong length');
  return builder;
}

/** The bytes of a `.builder` file as swift 1.7 reads and writes it. */
export function encodeBuilder(builder: RingBuilder): Buffer {
  const devs = builder.devices.map(device => (device ? pickledDevice(device) : null));
  return pickle({
    part_power: builder.partPower,
    replicas: builder.replicas,
    min_part_hours: builder.minPartHours,
    parts: builder.parts,
    devs,
    devs_changed: builder.devicesChanged,
    version: builder.version,
    _replica2part2dev: builder.rows,
    _last_part_moves_epoch: builder.lastPartMovesEpoch,
    _last_part_moves: builder.lastPartMoves,
    _last_part_gather_start: builder.lastPartGatherStart,
    _remove_devs: builder.removed.map(id => devs[id] ?? null).filter(device => device !== null),
  });
}

const pickledDevice = (device: BuilderDevice): Record<string, Pickled> => ({
  id: device.id,
  zone: device.zone,
  ip: device.ip,
  port: device.port,
  device: device.device,
  weight: pyFloat(device.weight),
  meta: device.meta,
  parts: device.parts,
  parts_wanted: device.parts_wanted,
});

function deviceFrom(value: Pickled): BuilderDevice | null {
  if (value === null) return null;
  if (!isDict(value)) throw new RingFileError('the builder has a device that is none');
  const text = (key: string) => (typeof value[key] === 'string' ? value[key] : '');
  return {
    id: whole(value, 'id'),
    zone: whole(value, 'zone'),
    ip: text('ip'),
    port: whole(value, 'port'),
    device: text('device'),
    weight: Number(value.weight ?? 0),
    meta: text('meta'),
    parts: Number(value.parts ?? 0),
    parts_wanted: Number(value.parts_wanted ?? 0),
  };
}

function whole(value: Record<string, Pickled>, key: string): number {
  const item = value[key];
  if (typeof item !== 'number' || !Number.isInteger(item))
    throw new RingFileError(`the builder has no ${key}`);
  return item;
}
