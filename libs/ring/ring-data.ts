import { gunzipSync, gzipSync } from 'node:zlib';
import { assert } from '@folsom/core';
import { isDict, type Pickled, unpickle } from '@folsom/pickle';
import type { Devices, RingDevice } from './devices.ts';

/** What a `.ring.gz` file holds. */
export interface RingData {
  devices: Devices;
  /** How far the first 32 bits of a path's hash are shifted right to give the partition. */
  partShift: number;
  /** One row a replica: partition → device id. */
  rows: Uint16Array[];
}

export class RingFileError extends Error {
  override readonly name = 'RingFileError';
}

const MAGIC = Buffer.from('R1NG');
/** Far above any real ring: three replicas of 2^26 partitions. */
const RING_BYTES_MAX = 1 << 30;

/** Reads the bytes of a ring file: version 1, or the pickles of earlier versions. */
export function decodeRing(file: Uint8Array): RingData {
  let payload: Buffer;
  try {
    payload = gunzipSync(file, { maxOutputLength: RING_BYTES_MAX });
  } catch (error) {
    throw new RingFileError(`not a ring file: ${(error as Error).message}`);
  }
  return payload.subarray(0, 4).equals(MAGIC) ? decodeVersion1(payload) : decodePickled(payload);
}

function decodeVersion1(payload: Buffer): RingData {
  if (payload.length < 10) throw new RingFileError('the ring file is cut short');
  const version = payload.readUInt16BE(4);
  if (version !== 1) throw new RingFileError(`Unknown ring format version ${version}`);
  const end = 10 + payload.readUInt32BE(6);
  if (end > payload.length) throw new RingFileError('the ring file is cut short');
  const head = JSON.parse(payload.toString('utf8', 10, end)) as {
    devs: Devices;
    part_shift: number;
    replica_count: number;
  };
  checkShift(head.part_shift);
  const rowBytes = 2 * 2 ** (32 - head.part_shift);
  if (payload.length - end < rowBytes * head.replica_count)
    throw new RingFileError('the ring file is cut short');
  const rows: Uint16Array[] = [];
  for (let replica = 0; replica < head.replica_count; replica++) {
    rows.push(littleEndian(payload.subarray(end + replica * rowBytes, end + (replica + 1) * rowBytes)));
  }
  return { devices: head.devs.map(withMeta), partShift: head.part_shift, rows };
}

function decodePickled(payload: Buffer): RingData {
  const value = unpickle(payload, { allow: { ...ARRAY_GLOBAL, ...objectGlobals(RING_CLASSES) } });
  if (!isDict(value)) throw new RingFileError('the ring file holds no ring');
  const rows = (value.replica2part2dev_id ?? value._replica2part2dev_id) as unknown;
  const shift = (value.part_shift ?? value._part_shift) as number;
  checkShift(shift);
  if (!Array.isArray(rows) || !Array.isArray(value.devs))
    throw new RingFileError('the ring file holds no ring');
  return {
    devices: (value.devs as unknown as Devices).map(withMeta),
    partShift: shift,
    rows: rows.map(row => Uint16Array.from(row as ArrayLike<number>)),
  };
}

/** The bytes of a ring file in version 1, as every swift since 1.7 reads it. */
export function encodeRing(ring: RingData): Buffer {
  requireWhole(ring);
  const json = Buffer.from(
    `{"devs": [${ring.devices.map(deviceJson).join(', ')}], "part_shift": ${ring.partShift}, "replica_count": ${ring.rows.length}}`,
  );
  const head = Buffer.alloc(10);
  MAGIC.copy(head);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(json.length, 6);
  const rows = ring.rows.map(row => Buffer.from(row.buffer, row.byteOffset, row.byteLength));
  return gzipSync(Buffer.concat([head, json, ...rows]), { level: 6 });
}

/** A ring with a hole would send objects nowhere, and every server would believe it. */
function requireWhole({ devices, partShift, rows }: RingData): void {
  const parts = 2 ** (32 - partShift);
  for (const row of rows) {
    assert(row.length === parts, 'each replica of a ring has every partition');
    assert(
      row.every(id => devices[id] != null),
      'a ring names only devices that it has',
    );
  }
}

function deviceJson(device: RingDevice | null): string {
  if (device === null) return 'null';
  const { id, zone, ip, port, device: name, weight, meta } = device;
  const number = Number.isInteger(weight) ? `${weight}.0` : String(weight);
  return (
    `{"zone": ${zone}, "weight": ${number}, "ip": ${JSON.stringify(ip)}, "port": ${port}, ` +
    `"meta": ${JSON.stringify(meta)}, "device": ${JSON.stringify(name)}, "id": ${id}}`
  );
}

/** Old files may lack the free text. */
const withMeta = <D extends RingDevice>(device: D | null): D | null =>
  device === null ? null : { ...device, meta: device.meta ?? '' };

function checkShift(shift: unknown): void {
  if (!Number.isInteger(shift) || (shift as number) < 0 || (shift as number) > 32) {
    throw new RingFileError('the ring file has no partition shift');
  }
}

/** The machine's own order on x86 and arm; a copy, so that the rows are aligned. */
const littleEndian = (bytes: Buffer): Uint16Array => new Uint16Array(Uint8Array.from(bytes).buffer);

const RING_CLASSES = [
  'swift.common.ring.ring.RingData',
  'swift.common.ring.RingData',
  'swift.common.ring.Ring',
];

/** `array.array` of a pickle, whose items are a list (Python 2.7) or packed bytes (2.6). */
export const ARRAY_GLOBAL: Readonly<Record<string, (args: readonly Pickled[]) => Pickled>> = {
  'array.array': ([code, items]) => {
    if (code !== 'H' && code !== 'B' && code !== 'I' && code !== 'i')
      throw new RingFileError('an unknown array type');
    if (typeof items === 'string') throw new RingFileError('an array packed by Python 2.6 cannot be read');
    const numbers = (items ?? []) as number[];
    return code === 'B' ? Uint8Array.from(numbers) : code === 'H' ? Uint16Array.from(numbers) : numbers;
  },
};

/** Instances of the named classes as plain objects of their attributes. */
export function objectGlobals(
  classes: readonly string[],
): Record<string, (args: readonly Pickled[]) => Pickled> {
  const empty = () => Object.create(null) as Record<string, Pickled>;
  return Object.fromEntries(classes.map(name => [name, empty]));
}
