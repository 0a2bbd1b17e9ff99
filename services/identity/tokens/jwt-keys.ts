import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { keyId, readPublicKey, type SigningKey } from '@folsom/auth';
import type { Clock } from '@folsom/core';
import { must } from '@folsom/core';

/**
 * Key pairs of signed tokens, in a directory of mode 0700: `KID.pub` for every key whose tokens are still accepted,
 * `KID.key` (0600) for the one that signs, its id in `current`. After a rotation the old private key is gone; the old
 * public key stays until its last token has expired.
 */
export interface TokenKeys {
  signing(): SigningKey;
  publicKey(kid: string): KeyObject | undefined;
  /** Public keys in PEM, by id. */
  list(): Record<string, string>;
  /** Reads the directory again if it has changed: another process may have rotated. */
  refresh(): void;
}

const CURRENT = 'current';

/** Opens the directory; creates it with a first pair when it is empty. Throws one clear sentence when it is not safe. */
export function openTokenKeys(dir: string): TokenKeys {
  prepareDirectory(dir);
  if (!existsSync(join(dir, CURRENT))) createPair(dir);
  let stamp = '';
  let publicKeys = new Map<string, { key: KeyObject; pem: string }>();
  let signing: SigningKey | undefined;

  const read = () => {
    const kid = readFileSync(join(dir, CURRENT), 'utf8').trim();
    signing = { kid, privateKey: createPrivateKey(readPrivate(join(dir, `${kid}.key`))) };
    const found = new Map<string, { key: KeyObject; pem: string }>();
    for (const name of readdirSync(dir)) {
      if (!name.endsWith('.pub')) continue;
      const pem = readFileSync(join(dir, name), 'utf8');
      const key = readPublicKey(pem);
      found.set(keyId(key), { key, pem });
    }
    publicKeys = found;
  };
  const stampOf = () =>
    `${statSync(dir).mtimeMs} ${statSync(join(dir, CURRENT)).mtimeMs} ${readdirSync(dir).length}`;
  stamp = stampOf();
  read();

  return {
    signing: () => must(signing, 'signing is there'),
    publicKey: kid => publicKeys.get(kid)?.key,
    list: () => Object.fromEntries([...publicKeys].map(([kid, { pem }]) => [kid, pem])),
    refresh: () => {
      const now = stampOf();
      if (now === stamp) return;
      read();
      stamp = now;
    },
  };
}

/** Makes a new signing pair; tokens of the one before are accepted until they expire. Returns the new key's id. */
export function rotateTokenKeys(dir: string, clock: Clock): string {
  prepareDirectory(dir);
  const before = existsSync(join(dir, CURRENT)) ? readFileSync(join(dir, CURRENT), 'utf8').trim() : null;
  const kid = createPair(dir);
  if (before !== null && before !== kid) {
    if (existsSync(join(dir, `${before}.key`))) unlinkSync(join(dir, `${before}.key`));
    // The time of the public key's file says when it was retired.
    const now = clock.now() / 1000;
    if (existsSync(join(dir, `${before}.pub`))) utimesSync(join(dir, `${before}.pub`), now, now);
  }
  return kid;
}

/** Deletes public keys retired longer ago than tokens live. Returns their ids. */
export function forgetRetiredKeys(dir: string, tokenLifetimeMs: number, clock: Clock): string[] {
  const current = readFileSync(join(dir, CURRENT), 'utf8').trim();
  return readdirSync(dir)
    .filter(name => name.endsWith('.pub') && name !== `${current}.pub`)
    .filter(name => clock.now() - statSync(join(dir, name)).mtimeMs > tokenLifetimeMs)
    .map(name => {
      unlinkSync(join(dir, name));
      return name.slice(0, -4);
    });
}

function prepareDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(`the directory of token keys ${dir} cannot be made: ${(error as Error).message}`);
  }
  const { mode } = statSync(dir);
  if ((mode & 0o077) !== 0) chmodSync(dir, 0o700);
}

function readPrivate(file: string): string {
  const { mode } = statSync(file);
  if ((mode & 0o077) !== 0) {
    throw new Error(`${file} holds a private key that others can read: chmod 600 it, then rotate the keys`);
  }
  return readFileSync(file, 'utf8');
}

function createPair(dir: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = keyId(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })));
  writeFileSync(join(dir, `${kid}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  writeFileSync(join(dir, `${kid}.pub`), publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 });
  // Last and at once: whoever reads `current` finds both files.
  writeFileSync(join(dir, `${CURRENT}.new`), `${kid}\n`, { mode: 0o644 });
  renameSync(join(dir, `${CURRENT}.new`), join(dir, CURRENT));
  return kid;
}
