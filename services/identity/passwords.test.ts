import { silentLogger, systemRandom } from '@folsom/core';
import { fakeClock, processorMs } from '@folsom/testing';
import { expect, it } from 'vitest';
import { IDENTITY_LIMITS } from './limits.ts';
import { passwords } from './passwords.ts';
import type { User } from './repositories/users.ts';

const clock = fakeClock();
const world = { clock, random: systemRandom, log: silentLogger };
const slow = passwords({ world, rounds: 100_000 });

it('makes hashes as passlib does, each with a salt of its own', async () => {
  const fast = passwords({ world, rounds: 1000 });
  const [a, b] = await Promise.all([fast.hash('pw'), fast.hash('pw')]);
  expect(a).toMatch(/^\$6\$rounds=1000\$[./A-Za-z0-9]{16}\$[./A-Za-z0-9]{86}$/);
  expect(a).not.toBe(b);
  expect(await fast.hash(a)).toBe(a);
});

it('recognises a verified pair without hashing until it is old or the user has changed', async () => {
  const user: User = { id: 'u', name: 'anna', extra: { password: await slow.hash('pw'), enabled: true } };
  const first = await processorMs(() => slow.verify(user, 'pw'));
  const again: number[] = [];
  for (let i = 0; i < 5; i++) again.push(await processorMs(() => slow.verify(user, 'pw')));
  // The least: something else may run in any single one.
  expect(Math.min(...again)).toBeLessThan(first / 4);
  expect(await slow.verify(user, 'wrong')).toBe(false);
  const changed = { ...user, extra: { ...user.extra, email: 'new' } };
  expect(await processorMs(() => slow.verify(changed, 'pw'))).toBeGreaterThan(first / 4);
  await clock.advance(IDENTITY_LIMITS.verifiedPairMs + 1);
  expect(await processorMs(() => slow.verify(user, 'pw'))).toBeGreaterThan(first / 4);
});

it('refuses users without a usable hash', async () => {
  for (const password of [null, '', 'plain', '$1$abc$def', 5, undefined]) {
    expect(await slow.verify({ id: 'u', name: 'n', extra: { password } }, 'plain')).toBe(false);
  }
  expect(await slow.verify(null, 'x')).toBe(false);
});

it('tells callers to come back when too many wait', async () => {
  const many = passwords({ world, rounds: 1000 });
  const all = await Promise.allSettled(
    Array.from({ length: IDENTITY_LIMITS.hashesWaitingMax + 5 }, (_, i) => many.hash(`p${i}`)),
  );
  const refused = all.filter(item => item.status === 'rejected');
  expect(refused).toHaveLength(5);
  expect((refused[0] as PromiseRejectedResult).reason).toMatchObject({ status: 503 });
});
