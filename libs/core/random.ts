import { randomBytes, randomUUID } from 'node:crypto';

/** The only source of randomness, so that a seed can replace it. Every method is fit for secrets in production. */
export interface Random {
  bytes(count: number): Buffer;
  /** A version 4 UUID with dashes. */
  uuid(): string;
  /** `count` lower-case hexadecimal digits (32 makes a keystone id). */
  hex(count: number): string;
  /** A whole number in `[0, below)`. */
  int(below: number): number;
  /** A string of `length` characters drawn from `alphabet`. */
  text(length: number, alphabet: string): string;
}

export const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Builds every method from one function that yields bytes; a simulation passes a seeded one. */
function randomFrom(bytes: (count: number) => Buffer): Random {
  const int = (below: number): number => {
    if (below <= 1) return 0;
    // Rejection sampling keeps every value equally likely.
    const limit = Math.floor(0x1_0000_0000_0000 / below) * below;
    for (;;) {
      const value = bytes(6).readUIntBE(0, 6);
      if (value < limit) return value % below;
    }
  };
  return {
    bytes,
    int,
    hex: count =>
      bytes(Math.ceil(count / 2))
        .toString('hex')
        .slice(0, count),
    uuid: () => {
      const raw = bytes(16);
      raw[6] = (raw.readUInt8(6) & 0x0f) | 0x40;
      raw[8] = (raw.readUInt8(8) & 0x3f) | 0x80;
      const hex = raw.toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
    text: (length, alphabet) => {
      let out = '';
      while (out.length < length) out += alphabet[int(alphabet.length)];
      return out;
    },
  };
}

/** Bytes fetched from the system at a time: the call costs more than the bytes. */
const STOCK_BYTES = 4096;
let stock = Buffer.alloc(0);
let used = 0;

function fromStock(count: number): Buffer {
  if (count > STOCK_BYTES / 8) return randomBytes(count);
  if (used + count > stock.length) {
    stock = randomBytes(STOCK_BYTES);
    used = 0;
  }
  const out = Buffer.from(stock.subarray(used, used + count));
  // What was given out, a secret maybe, exists once.
  stock.fill(0, used, used + count);
  used += count;
  return out;
}

export const systemRandom: Random = { ...randomFrom(fromStock), uuid: () => randomUUID() };

/** A repeatable source for tests and simulation (xoshiro128**); never for secrets. */
export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const spread = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [a, b, c, d] = [spread(), spread(), spread(), spread()];
  const rotl = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0;
  const next = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c = (c ^ a) >>> 0;
    d = (d ^ b) >>> 0;
    b = (b ^ c) >>> 0;
    a = (a ^ d) >>> 0;
    c = (c ^ t) >>> 0;
    d = rotl(d, 11);
    return result;
  };
  return randomFrom(count => {
    const out = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) out[i] = next() & 0xff;
    return out;
  });
}
