import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { keyId, looksSigned, type SignedToken, signedTokenReader, signToken } from './signed-token.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = keyId(publicKey);
const token: SignedToken = {
  key: 'AAAAAAAAAAAAAAAAAAAAAA',
  userId: 'c4bd5d0f436a4c9a88734fbb1f1f2261',
  userName: 'demo ünï',
  tenantId: 'e6bdd7b4249e493c96ad7d260e2c4f5f',
  tenantName: 'demo',
  roles: ['Member', 'swiftoperator'],
  issuedAt: 1_353_700_000_123,
  expiresAt: 1_353_786_400_123,
};
const text = signToken(token, { kid, privateKey });
const keys = new Map<string, KeyObject>([[kid, publicKey]]);
const reader = () => signedTokenReader({ publicKey: id => keys.get(id) });

describe('signed tokens', () => {
  it('come back as they went, to the millisecond', () => {
    expect(looksSigned(text)).toBe(true);
    expect(reader().read(text)).toEqual(token);
    const unscoped = { ...token, tenantId: null, tenantName: null, roles: [] };
    expect(reader().read(signToken(unscoped, { kid, privateKey }))).toEqual(unscoped);
    expect(text.length).toBeLessThan(900);
  });

  it('are refused when altered, foreign, unsigned, or signed in another way', () => {
    const read = reader();
    const [header, payload, signature] = text.split('.') as [string, string, string];
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { jti: 'x', sub: 'u', usr: 'u', rol: ['admin'], iat: 1, exp: 9e9 };
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const forged of [
      `${header}.${encode({ ...claims })}.${signature}`,
      `${header}.${payload}.${'A'.repeat(86)}`,
      `${encode({ alg: 'none', kid })}.${encode(claims)}.`,
      `${encode({ alg: 'none', kid })}.${encode(claims)}.${'A'.repeat(86)}`,
      jwt.sign(claims, publicKey.export({ type: 'spki', format: 'pem' }) as string, {
        algorithm: 'HS256',
        keyid: kid,
        allowInsecureKeySizes: true,
      }),
      signToken(token, { kid, privateKey: other.privateKey }),
      signToken(token, { kid: 'unknown', privateKey }),
      jwt.sign({ sub: 'u' }, privateKey, { algorithm: 'ES256', keyid: kid }),
      '',
      'eyJ',
      'x'.repeat(5000),
    ]) {
      expect(read.read(forged)).toBeNull();
    }
  });

  it('end with their key', () => {
    const read = reader();
    expect(read.read(text)).not.toBeNull();
    keys.delete(kid);
    expect(read.read(text)).toBeNull();
    keys.set(kid, publicKey);
    expect(read.kidOf(text)).toBe(kid);
    expect(read.kidOf('nonsense')).toBeNull();
  });
});
