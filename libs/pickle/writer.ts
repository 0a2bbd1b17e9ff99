import { assert } from '@folsom/core';
import { type Pickled, PickleError, type PickleStrings, PyFloat, PyTuple } from './pickle.ts';

export interface PickleOptions {
  /** 2 (the default) is binary; 0 is printable, as REPLICATE answers are. */
  protocol?: 0 | 2;
  /** What the strings hold: text written as UTF-8 (the default), or one character a byte. */
  strings?: PickleStrings;
}

const DEPTH_MAX = 64;

/**
 * Writes plain data as Python would read it: strings become str, whole numbers int (long beyond 32 bits), typed
 * arrays `array.array`. Keys whose value is undefined are left out.
 */
export function pickle(value: Pickled, options: PickleOptions = {}): Buffer {
  const encoding = options.strings ?? 'utf8';
  const out = new Output();
  if ((options.protocol ?? 2) === 0) {
    writePrintable(out, value, encoding, 0);
  } else {
    out.byte(0x80);
    out.byte(2);
    writeBinary(out, value, encoding, 0);
  }
  out.byte(0x2e);
  return out.finish();
}

class Output {
  #buffer = Buffer.allocUnsafe(512);
  #at = 0;

  room(count: number): number {
    const at = this.#at;
    if (at + count > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + count));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#at = at + count;
    return at;
  }
  byte(value: number): void {
    const at = this.room(1);
    this.#buffer[at] = value;
  }
  uint16(value: number): void {
    const at = this.room(2);
    this.#buffer.writeUInt16LE(value, at);
  }
  int32(value: number): void {
    const at = this.room(4);
    this.#buffer.writeInt32LE(value, at);
  }
  double(value: number): void {
    const at = this.room(8);
    this.#buffer.writeDoubleBE(value, at);
  }
  text(text: string, encoding: PickleStrings): void {
    const length = Buffer.byteLength(text, encoding);
    const at = this.room(length);
    const written = this.#buffer.write(text, at, encoding);
    // A text that was cut would shift everything behind it.
    assert(written === length, 'a text takes the room that was made for it');
  }
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }
}

function writeBinary(out: Output, value: Pickled | undefined, encoding: PickleStrings, depth: number) {
  if (depth > DEPTH_MAX) throw new PickleError('nested too deeply');
  if (value === null || value === undefined) return out.byte(0x4e);
  if (typeof value === 'boolean') return out.byte(value ? 0x88 : 0x89);
  if (typeof value === 'string') return writeString(out, value, encoding);
  if (typeof value === 'number') return writeNumber(out, value);
  if (typeof value === 'bigint') return writeLong(out, value);
  if (value instanceof PyFloat) {
    out.byte(0x47);
    return out.double(value.value);
  }
  if (value instanceof Uint8Array || value instanceof Uint16Array) return writeTyped(out, value);
  if (value instanceof PyTuple) {
    if (value.items.length === 0) return out.byte(0x29);
    if (value.items.length > 3) out.byte(0x28);
    for (const item of value.items) writeBinary(out, item, encoding, depth + 1);
    return out.byte(value.items.length > 3 ? 0x74 : 0x84 + value.items.length);
  }
  if (Array.isArray(value)) {
    out.byte(0x5d);
    if (value.length === 0) return;
    out.byte(0x28);
    for (const item of value as readonly Pickled[]) writeBinary(out, item, encoding, depth + 1);
    return out.byte(0x65);
  }
  out.byte(0x7d);
  const entries = Object.entries(value as Record<string, Pickled | undefined>).filter(
    ([, item]) => item !== undefined,
  );
  if (entries.length === 0) return;
  out.byte(0x28);
  for (const [key, item] of entries) {
    writeString(out, key, encoding);
    writeBinary(out, item, encoding, depth + 1);
  }
  out.byte(0x75);
}

function writeString(out: Output, text: string, encoding: PickleStrings) {
  const length = Buffer.byteLength(text, encoding);
  if (length < 256) {
    out.byte(0x55);
    out.byte(length);
  } else {
    out.byte(0x54);
    out.int32(length);
  }
  out.text(text, encoding);
}

function writeNumber(out: Output, value: number) {
  if (!Number.isInteger(value) || Object.is(value, -0)) {
    out.byte(0x47);
    return out.double(value);
  }
  if (value >= 0 && value < 0x100) {
    out.byte(0x4b);
    return out.byte(value);
  }
  if (value >= 0 && value < 0x10000) {
    out.byte(0x4d);
    return out.uint16(value);
  }
  if (value >= -0x80000000 && value <= 0x7fffffff) {
    out.byte(0x4a);
    return out.int32(value);
  }
  if (!Number.isSafeInteger(value)) {
    out.byte(0x47);
    return out.double(value);
  }
  writeLong(out, BigInt(value));
}

function writeLong(out: Output, value: bigint) {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 8n) {
    const low = Number(rest & 0xffn);
    const done = rest >> 8n === (low & 0x80 ? -1n : 0n);
    bytes.push(low);
    if (done) break;
  }
  if (bytes.length > 255) throw new PickleError('a number of too many digits');
  out.byte(0x8a);
  out.byte(bytes.length);
  for (const byte of bytes) out.byte(byte);
}

/** `array.array(typecode, [numbers])`, in batches as Python writes long lists. */
function writeTyped(out: Output, items: Uint8Array | Uint16Array) {
  out.byte(0x63);
  out.text('array\narray\n', 'latin1');
  out.byte(0x55);
  out.byte(1);
  out.text(items instanceof Uint16Array ? 'H' : 'B', 'latin1');
  out.byte(0x5d);
  const batch = 1000;
  for (let start = 0; start < items.length; start += batch) {
    out.byte(0x28);
    for (const item of items.subarray(start, start + batch)) writeNumber(out, item);
    out.byte(0x65);
  }
  out.byte(0x86);
  out.byte(0x52);
}

function writePrintable(out: Output, value: Pickled | undefined, encoding: PickleStrings, depth: number) {
  if (depth > DEPTH_MAX) throw new PickleError('nested too deeply');
  const line = (text: string) => out.text(text, 'latin1');
  if (value === null || value === undefined) return line('N');
  if (typeof value === 'boolean') return line(value ? 'I01\n' : 'I00\n');
  if (typeof value === 'string') return line(`S'${escapeBytes(value, encoding)}'\n`);
  if (typeof value === 'bigint') return line(`L${value}L\n`);
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return line(`F${value}\n`);
    return line(Math.abs(value) <= 0x7fffffff ? `I${value}\n` : `L${BigInt(value)}L\n`);
  }
  if (value instanceof PyFloat) {
    return line(`F${Number.isInteger(value.value) ? value.value.toFixed(1) : value.value}\n`);
  }
  if (value instanceof PyTuple) {
    line('(');
    for (const item of value.items) writePrintable(out, item, encoding, depth + 1);
    return line('t');
  }
  if (ArrayBuffer.isView(value)) throw new PickleError('typed arrays need protocol 2');
  if (Array.isArray(value)) {
    line('(l');
    for (const item of value as readonly Pickled[]) {
      writePrintable(out, item, encoding, depth + 1);
      line('a');
    }
    return;
  }
  line('(d');
  for (const [key, item] of Object.entries(value as Record<string, Pickled | undefined>)) {
    if (item === undefined) continue;
    writePrintable(out, key, encoding, depth + 1);
    writePrintable(out, item, encoding, depth + 1);
    line('s');
  }
}

const escapeBytes = (text: string, encoding: PickleStrings): string =>
  (encoding === 'utf8' ? Buffer.from(text, 'utf8').toString('latin1') : text).replace(
    /[\\'\x00-\x1f\x7f-\xff]/g,
    character =>
      character === '\\' || character === "'"
        ? `\\${character}`
        : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
