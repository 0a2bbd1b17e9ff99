import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '@folsom/core';
import type { ImageMeta } from '../image.ts';
import type { Registry } from './registry.ts';

const BLOCK_BYTES = 64;
const IV_BYTES = 16;

/** Encrypts and decrypts texts as glance does: AES-CBC, a zero byte and random ones as padding, URL-safe base64. */
export interface LocationCipher {
  encrypt(plain: string): string;
  /** A text that was never encrypted comes back as it is. */
  decrypt(text: string): string;
}

/**
 * @param key 16, 24 or 32 characters
 * @throws Error with one sentence for a key of another length.
 */
export function locationCipher(key: string, random: Random): LocationCipher {
  const bytes = Buffer.from(key, 'utf8');
  if (![16, 24, 32].includes(bytes.byteLength)) {
    throw new Error('metadata_encryption_key must have 16, 24 or 32 characters');
  }
  const algorithm = `aes-${bytes.byteLength * 8}-cbc`;
  return {
    encrypt: plain => {
      const text = Buffer.from(plain, 'utf8');
      const fill = BLOCK_BYTES - (text.byteLength % BLOCK_BYTES);
      // The padding must hold no zero: the last zero byte ends the text.
      const padding = Buffer.from(random.bytes(fill - 1)).map(byte => (byte === 0 ? 1 : byte));
      const iv = random.bytes(IV_BYTES);
      const cipher = createCipheriv(algorithm, bytes, iv).setAutoPadding(false);
      const sealed = Buffer.concat([
        iv,
        cipher.update(Buffer.concat([text, Buffer.from([0]), padding])),
        cipher.final(),
      ]);
      return sealed.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    },
    decrypt: text => {
      if (text.includes('://')) return text;
      const sealed = Buffer.from(text, 'base64url');
      if (sealed.byteLength < 2 * IV_BYTES || sealed.byteLength % IV_BYTES !== 0) return text;
      const decipher = createDecipheriv(algorithm, bytes, sealed.subarray(0, IV_BYTES)).setAutoPadding(false);
      const padded = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES)), decipher.final()]);
      const end = padded.lastIndexOf(0);
      return padded.subarray(0, end < 0 ? padded.byteLength : end).toString('utf8');
    },
  };
}

/** A location as it was before it may have been encrypted. */
export const plainLocation = <T extends string | null>(cipher: LocationCipher | null, location: T): T =>
  (location === null || cipher === null ? location : cipher.decrypt(location)) as T;

/** A registry that never sees a location in clear. */
export function encryptingRegistry(inner: Registry, cipher: LocationCipher): Registry {
  const open = <T extends Partial<ImageMeta>>(image: T): T =>
    image.location ? { ...image, location: cipher.decrypt(image.location) } : image;
  const seal = (values: Record<string, unknown>): Record<string, unknown> =>
    typeof values.location === 'string' && values.location !== ''
      ? { ...values, location: cipher.encrypt(values.location) }
      : values;
  return {
    ...inner,
    detail: async (context, params) => (await inner.detail(context, params)).map(open),
    get: async (context, id) => open(await inner.get(context, id)),
    add: async (context, values) => open(await inner.add(context, seal(values))),
    update: async (context, id, values, options) =>
      open(await inner.update(context, id, seal(values), options)),
    delete: async (context, id, lastStatus) => open(await inner.delete(context, id, lastStatus)),
  };
}
