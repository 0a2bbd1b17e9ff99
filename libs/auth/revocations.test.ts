import { fakeClock } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import {
  grantSubject,
  type Revocation,
  readRevocations,
  revocationList,
  tokenSubject,
} from './revocations.ts';

const clock = fakeClock();
const now = clock.now();
const token = { key: 'k', userId: 'u', tenantId: 't', roles: ['Member'], issuedAt: now };
const revocation = (kind: Revocation['kind'], subject: string, issuedBefore = now): Revocation => ({
  kind,
  subject,
  issuedBefore,
  revokedAt: now,
  expires: now + 1_000_000,
});

describe('a revocation', () => {
  it.each([
    ['token', tokenSubject('k'), tokenSubject('other')],
    ['user', 'u', 'other'],
    ['tenant', 't', 'other'],
    ['role', 'Member', 'admin'],
    ['grant', grantSubject('u', 't'), grantSubject('u', 'other')],
  ] as const)('of a %s ends the tokens it names and no others', (kind, subject, other) => {
    const list = revocationList(clock);
    list.add([revocation(kind, other)]);
    expect(list.isRevoked(token)).toBe(false);
    list.add([revocation(kind, subject)]);
    expect(list.isRevoked(token)).toBe(true);
    if (kind !== 'token') expect(list.isRevoked({ ...token, issuedAt: now + 1 })).toBe(false);
  });

  it('keeps the later moment, whatever the order of arrival', () => {
    const list = revocationList(clock);
    expect(list.add([revocation('user', 'u', now + 10)])).toBe(true);
    expect(list.add([revocation('user', 'u', now - 10)])).toBe(false);
    expect(list.isRevoked({ ...token, issuedAt: now + 5 })).toBe(true);
    expect(list.since(now)).toHaveLength(1);
    expect(list.since(now + 1)).toHaveLength(0);
  });

  it('says nothing about tokens without a tenant that concerns tenants', () => {
    const list = revocationList(clock);
    list.add([revocation('tenant', 't'), revocation('grant', grantSubject('u', 't'))]);
    expect(list.isRevoked({ ...token, tenantId: null, roles: [] })).toBe(false);
  });

  it('is forgotten when no token it names can be alive', async () => {
    const list = revocationList(clock);
    list.add([{ ...revocation('user', 'u'), expires: now + 100 }]);
    await clock.advance(120_000);
    list.add([revocation('user', 'x')]);
    expect(list.size).toBe(1);
  });

  it('is read from the wire only when it looks like one', () => {
    const good = revocation('user', 'u');
    expect(readRevocations([good, null, 1, {}, { ...good, kind: 'x' }, { ...good, expires: 'x' }])).toEqual([
      good,
    ]);
    expect(readRevocations('x')).toEqual([]);
  });
});
