import { createHash } from 'node:crypto';
import type { Random } from '@folsom/core';

const SALT_BYTES = 8;

/** A password as Folsom puts it into a directory: `{SSHA}`, what every server checks (RFC 2307's form, with a salt). */
export function saltedHash(password: string, random: Random): string {
  const salt = random.bytes(SALT_BYTES);
  const digest = createHash('sha1').update(password, 'utf8').update(salt).digest();
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`;
}
