import { Fault } from '@folsom/core';
import { fakeClock } from '@folsom/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { onlineValidator } from './online-validator.ts';
import { revocationList } from './revocations.ts';
import { type TokenInfo, tokenInfo } from './token.ts';
import { memoryTokenCache } from './token-cache.ts';

let clock = fakeClock();
let asked: string[];
let answer: (id: string) => Promise<TokenInfo | null>;
let followed: boolean;
let revocations = revocationList(clock);

function validator() {
  return onlineValidator({
    client: {
      validate: id => {
        asked.push(id);
        return answer(id);
      },
    },
    cache: memoryTokenCache(),
    clock,
    cacheMs: 300_000,
    revocations,
    followed: () => followed,
  });
}

beforeEach(() => {
  clock = fakeClock(Date.now());
  revocations = revocationList(clock);
  asked = [];
  followed = true;
  answer = async id => tokenInfo({ id, issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000 });
});

describe('online validation', () => {
  it('asks once for many requests, and keeps the answer', async () => {
    const tokens = validator();
    const all = await Promise.all(Array.from({ length: 20 }, () => tokens.validate('a')));
    expect(all.every(info => info?.id === 'a')).toBe(true);
    await tokens.validate('a');
    expect(asked).toEqual(['a']);
  });

  it('follows revocation and expiry although the answer is kept', async () => {
    const tokens = validator();
    await tokens.validate('a');
    const now = clock.now();
    revocations.add([
      { kind: 'user', subject: 'user', issuedBefore: now, revokedAt: now, expires: now + 1e9 },
    ]);
    expect(await tokens.validate('a')).toBeNull();
    answer = async id => tokenInfo({ id, issuedAt: clock.now() + 1, expiresAt: clock.now() + 1_000 });
    expect(await tokens.validate('b')).not.toBeNull();
    await clock.advance(1_001);
    answer = async () => null;
    expect(await tokens.validate('b')).toBeNull();
  });

  it('keeps nothing for long while revocations are not followed', async () => {
    followed = false;
    const tokens = validator();
    await tokens.validate('a');
    await clock.advance(1_100);
    await tokens.validate('a');
    expect(asked).toHaveLength(2);
  });

  it('remembers refusals for a while', async () => {
    answer = async () => null;
    const tokens = validator();
    expect(await tokens.validate('bad')).toBeNull();
    expect(await tokens.validate('bad')).toBeNull();
    expect(asked).toHaveLength(1);
  });

  it('tells when the identity service cannot be asked, and asks again next time', async () => {
    answer = async () => {
      throw new Fault('IdentityUnavailable', 503, 'down');
    };
    const tokens = validator();
    await expect(tokens.validate('a')).rejects.toMatchObject({ status: 503 });
    answer = async id => tokenInfo({ id });
    expect(await tokens.validate('a')).not.toBeNull();
  });
});
