import { must } from '@folsom/core';

/*
 * The few pieces of DER that a CMS message is made of. They stand here and not in @peculiar/asn1-cms because each login with PKI
 * tokens makes a message on the event loop: a token of 4 KB takes the library a hundred times as long (70 ms against 0.7 ms,
 * measured one after the other on a busy machine).
 */

const length = (count: number): Buffer => {
  if (count < 0x80) return Buffer.from([count]);
  const digits: number[] = [];
  for (let rest = count; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Buffer.from([0x80 | digits.length, ...digits]);
};

const der = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), length(body.length), body]);
};

export const sequence = (...content: readonly Buffer[]): Buffer => der(0x30, ...content);
export const set = (...content: readonly Buffer[]): Buffer => der(0x31, ...content);
export const octets = (content: Buffer): Buffer => der(0x04, content);
export const integer = (value: number): Buffer => der(0x02, Buffer.from([value]));
export const nothing = (): Buffer => Buffer.from([0x05, 0x00]);
/** `[number] EXPLICIT`. */
export const explicit = (number: number, content: Buffer): Buffer => der(0xa0 + number, content);

/** An object identifier, from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]];
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

export interface Element {
  tag: number;
  content: Buffer;
  /** With tag and length. */
  whole: Buffer;
}

/** The elements that follow each other in a buffer. Throws for anything that is no DER. */
export function elements(data: Buffer): Element[] {
  const out: Element[] = [];
  for (let at = 0; at < data.length; ) {
    const tag = must(data[at], 'at is in data');
    let size = data[at + 1] ?? -1;
    let header = 2;
    if (size >= 0x80) {
      const digits = size & 0x7f;
      if (digits === 0 || digits > 4) throw new Error('not DER');
      size = data.readUIntBE(at + 2, digits);
      header += digits;
    }
    const end = at + header + size;
    if (size < 0 || end > data.length) throw new Error('not DER');
    out.push({ tag, content: data.subarray(at + header, end), whole: data.subarray(at, end) });
    at = end;
  }
  return out;
}
