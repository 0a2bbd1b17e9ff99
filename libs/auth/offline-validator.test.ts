import { generateKeyPairSync } from 'node:crypto';
import { fakeClock } from '@folsom/testing';
import { expect, it } from 'vitest';
import { offlineValidator } from './offline-validator.ts';
import { onlineValidator } from './online-validator.ts';
import { revocationList } from './revocations.ts';
import { keyId, signedTokenReader, signToken } from './signed-token.ts';
import { tokenInfo } from './token.ts';
import { memoryTokenCache } from './token-cache.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = keyId(publicKey);
const LIFETIME_MS = 3_600_000;

/** A signed token and who checks it, asked at moments after its issue. */
function signed() {
  const clock = fakeClock();
  const issuedAt = clock.now();
  const text = signToken(
    {
      key: 'AAAAAAAAAAAAAAAAAAAAAA',
      userId: 'u',
      userName: 'anna',
      tenantId: 't',
      tenantName: 'tenant',
      roles: ['Member'],
      issuedAt,
      expiresAt: issuedAt + LIFETIME_MS,
    },
    { kid, privateKey },
  );
  const validator = offlineValidator({
    reader: signedTokenReader({ publicKey: () => publicKey }),
    revocations: revocationList(clock),
    clock,
    catalog: async () => [],
  });
  return { clock, validate: () => validator.validate(text) };
}

it('takes a signed token until the moment it expires and not a millisecond longer', async () => {
  const { clock, validate } = signed();
  expect(await validate()).toMatchObject({ userId: 'u', tenantId: 't' });
  await clock.advance(LIFETIME_MS - 1);
  expect(await validate()).not.toBeNull();
  await clock.advance(1);
  expect(await validate()).toBeNull();
  for (const later of [1, 58_999, 1_000, 1, LIFETIME_MS]) {
    await clock.advance(later);
    expect(await validate()).toBeNull();
  }
});

it('takes a remembered answer of the identity service for as long, too', async () => {
  const clock = fakeClock();
  const expiresAt = clock.now() + 10_000;
  let asked = 0;
  const validator = onlineValidator({
    client: {
      validate: async id => {
        asked += 1;
        return tokenInfo({ id, expiresAt, issuedAt: clock.now() });
      },
    },
    cache: memoryTokenCache(),
    clock,
    cacheMs: 60 * 60_000,
    revocations: revocationList(clock),
    followed: () => true,
  });
  expect(await validator.validate('x')).not.toBeNull();
  await clock.advance(9_999);
  expect(await validator.validate('x')).not.toBeNull();
  expect(asked).toBe(1);
  await clock.advance(1);
  // Also when the identity service itself says otherwise.
  expect(await validator.validate('x')).toBeNull();
});
