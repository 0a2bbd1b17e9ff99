import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import type { RevocableToken } from './revocations.ts';

/**
 * Signed tokens: JWT with ES256. They carry who, where and as what, but no catalog, so that they fit in a header; every
 * service that has the public key reads them without a call.
 */
export interface SignedToken extends RevocableToken {
  userName: string;
  tenantName: string | null;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

interface Claims {
  jti: string;
  sub: string;
  usr: string;
  tid?: string;
  ten?: string;
  rol: string[];
  iat: number;
  exp: number;
}

/** The one algorithm there is: a header that names another is no header of ours. */
const ALGORITHM = 'ES256';

export interface SigningKey {
  kid: string;
  privateKey: KeyObject;
}

/** Makes the token's text. */
export function signToken(token: SignedToken, key: SigningKey): string {
  const claims: Claims = {
    jti: token.key,
    sub: token.userId,
    usr: token.userName,
    ...(token.tenantId === null ? {} : { tid: token.tenantId, ten: token.tenantName ?? '' }),
    rol: [...token.roles],
    iat: token.issuedAt / 1000,
    exp: token.expiresAt / 1000,
  };
  return jwt.sign(claims, key.privateKey, { algorithm: ALGORITHM, keyid: key.kid });
}

const SHAPE = /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86}$/;

/** Whether a token has the form of a signed one; says nothing about its being genuine. */
export const looksSigned = (token: string): boolean => token.startsWith('eyJ') && SHAPE.test(token);

/** The id under which a public key is known. */
export const keyId = (publicKey: KeyObject): string =>
  hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'hex').slice(0, 16);

/** Reads a public key in PEM; throws when it is none of ours. */
export function readPublicKey(pem: string): KeyObject {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ec') throw new Error('not an elliptic curve key');
  return key;
}

export interface SignedTokenReader {
  /**
   * The facts of a genuine token, or null. Expiry and revocation are the caller's to check, each time: only the
   * signature is remembered.
   */
  read(token: string): SignedToken | null;
  /** The key id a token names, for fetching keys that are not known yet. */
  kidOf(token: string): string | null;
}

export function signedTokenReader(options: {
  publicKey: (kid: string) => KeyObject | undefined;
  /** Genuine tokens remembered, by digest. */
  cacheMax?: number;
}): SignedTokenReader {
  const seen = new LRUCache<string, { kid: string; token: SignedToken }>({ max: options.cacheMax ?? 10_000 });
  return {
    kidOf,
    read: token => {
      if (!looksSigned(token)) return null;
      const digest = hash('sha256', token, 'base64');
      const known = seen.get(digest);
      // A key that was withdrawn takes its tokens with it.
      if (known) return options.publicKey(known.kid) ? known.token : null;
      const kid = kidOf(token);
      const key = kid === null ? undefined : options.publicKey(kid);
      if (kid === null || !key) return null;
      const read = fromClaims(genuineClaims(token, key));
      if (read) seen.set(digest, { kid, token: read });
      return read;
    },
  };
}

/** What a token says that was signed with the key; null for any other. */
function genuineClaims(token: string, key: KeyObject): unknown {
  try {
    return jwt.verify(token, key, { algorithms: [ALGORITHM], ignoreExpiration: true, ignoreNotBefore: true });
  } catch {
    return null;
  }
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

/** The key that a token's header names; null for a header that no token of ours has. */
function kidOf(token: string): string | null {
  const header = decode(token.slice(0, token.indexOf('.'))) as { alg?: unknown; kid?: unknown } | null;
  return header?.alg === ALGORITHM && typeof header.kid === 'string' ? header.kid : null;
}

function fromClaims(value: unknown): SignedToken | null {
  if (value === null || typeof value !== 'object') return null;
  const { jti, sub, usr, tid, ten, rol, iat, exp } = value as Partial<Claims>;
  if (typeof jti !== 'string' || typeof sub !== 'string' || typeof usr !== 'string') return null;
  if (typeof iat !== 'number' || typeof exp !== 'number' || !Array.isArray(rol)) return null;
  return {
    key: jti,
    userId: sub,
    userName: usr,
    tenantId: typeof tid === 'string' ? tid : null,
    tenantName: typeof ten === 'string' ? ten : null,
    roles: rol.filter(role => typeof role === 'string'),
    // Seconds with a fraction: back to whole milliseconds.
    issuedAt: Math.round(iat * 1000),
    expiresAt: Math.round(exp * 1000),
  };
}
