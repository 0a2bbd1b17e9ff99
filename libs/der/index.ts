import { must } from '@folsom/core';

/*
 * As much of DER as certificates, revocation lists and signed messages need: writing, and finding one's way in what others wrote. It
 * stands here and not in @peculiar/asn1-cms because each login with PKI tokens makes a message on the event loop: a token of 4 KB takes
 * the library a hundred times as long (70 ms against 0.7 ms, measured one after the other on a busy machine). And nova-cert makes
 * certificates of version 1, as Folsom's, where @peculiar/x509 makes version 3 alone.
 */

function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => element(0x30, ...items);
export const set = (...items: readonly Uint8Array[]): Buffer => element(0x31, ...items);
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
export const octetString = (content: Uint8Array): Buffer => element(0x04, content);
export const nothing = (): Buffer => element(0x05);
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
export const printableString = (text: string): Buffer => element(0x13, Buffer.from(text, 'latin1'));
/** `[n]` around a whole element. */
export const explicit = (n: number, content: Uint8Array): Buffer => element(0xa0 | n, content);
/** `[n]` instead of the element's own tag. */
export const implicit = (n: number, content: Uint8Array): Buffer => element(0x80 | n, content);

export function bitString(content: Uint8Array, unusedBits = 0): Buffer {
  return element(0x03, Buffer.from([unusedBits]), content);
}

/** A number that is not negative. */
export function integer(value: bigint | number): Buffer {
  let hex = BigInt(value).toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const octets = Buffer.from(hex, 'hex');
  // A set first bit would make it negative.
  return element(
    0x02,
    must(octets[0], 'octets is not empty') >= 0x80 ? Buffer.concat([Buffer.from([0]), octets]) : octets,
  );
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets: number[] = [first * 40 + second];
  for (const part of rest) {
    const group = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) group.unshift((left & 0x7f) | 0x80);
    octets.push(...group);
  }
  return element(0x06, Buffer.from(octets));
}

/** UTCTime up to 2049, GeneralizedTime from then on. */
export function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`;
  return Number(text.slice(0, 4)) < 2050
    ? element(0x17, Buffer.from(text.slice(2)))
    : element(0x18, Buffer.from(text));
}

export interface Element {
  tag: number;
  content: Buffer;
  /** With tag and length. */
  whole: Buffer;
}

/** The elements a content is made of. Throws for anything that is not whole. */
export function elements(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = must(bytes[at], 'at is in bytes');
    let length = bytes[at + 1] ?? Number.NaN;
    let start = at + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 4) throw new Error('DER: unreadable length');
      length = bytes.readUIntBE(start, octets);
      start += octets;
    }
    const end = start + length;
    if (Number.isNaN(end) || end > bytes.length) throw new Error('DER: cut off');
    found.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return found;
}

/** The dotted form of an object identifier's content. */
export function dottedOid(content: Buffer): string {
  const parts: number[] = [];
  let value = 0;
  for (const octet of content) {
    value = value * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    parts.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = parts;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}
