import { must } from '@folsom/core';
import { isPasswordHash, type Passwords } from '../passwords.ts';

/** More would wait for the processors. */
const AT_A_TIME = 16;

/**
 * Hashes of many passwords, out of an older database, by the key of their users. What is a hash already stays; users without a password are left out.
 * To be called before a transaction: nothing but the database is waited for inside one.
 */
export async function hashAll(
  passwords: Passwords,
  texts: readonly (readonly [key: string, password: string | null])[],
): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const given = texts.filter((item): item is readonly [string, string] => item[1] !== null);
  for (let at = 0; at < given.length; at += AT_A_TIME) {
    const part = given.slice(at, at + AT_A_TIME);
    const hashed = await Promise.all(
      part.map(async ([key, password]) =>
        isPasswordHash(password) ? password : passwords.hash(key, password),
      ),
    );
    part.forEach(([key], index) => void hashes.set(key, must(hashed[index], 'index is in hashed')));
  }
  return hashes;
}
