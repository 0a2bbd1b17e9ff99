import { availableParallelism } from 'node:os';
import { createLogger, silentLogger, systemRandom } from '@folsom/core';
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
  const [a, b] = await Promise.all([fast.hash('u', 'pw'), fast.hash('v', 'pw')]);
  expect(a).toMatch(/^\$6\$rounds=1000\$[./A-Za-z0-9]{16}\$[./A-Za-z0-9]{86}$/);
  expect(a).not.toBe(b);
});

it('takes a text that looks like a hash for a password like any other', async () => {
  const fast = passwords({ world, rounds: 1000 });
  const typed = `$6$rounds=999999999$abcdefgh$${'a'.repeat(86)}`;
  const stored = await fast.hash('u', typed);
  expect(stored).toMatch(/^\$6\$rounds=1000\$/);
  expect(stored).not.toBe(typed);
  const user: User = { id: 'u', name: 'anna', extra: { password: stored } };
  expect(await fast.verify('anna', user, typed)).toBe(true);
  expect(await fast.verify('anna', user, 'a')).toBe(false);
});

it('refuses a stored hash of too many rounds at once, and says so once', async () => {
  const lines: string[] = [];
  const log = createLogger({ write: line => lines.push(line) });
  const fast = passwords({ world: { ...world, log }, rounds: 1000 });
  const made = await fast.hash('u', 'pw');
  const password = made.replace('rounds=1000', `rounds=${IDENTITY_LIMITS.hashRoundsMax + 1}`);
  const user: User = { id: 'u', name: 'anna', extra: { password } };
  const spent = await processorMs(async () => {
    for (let i = 0; i < 3; i++) expect(await fast.verify('anna', user, `pw${i}`)).toBe(false);
  });
  expect(spent).toBeLessThan(await processorMs(() => passwords({ world, rounds: 500_000 }).hash('u', 'pw')));
  expect(lines.filter(line => line.includes('too many rounds'))).toHaveLength(1);
  // What an administrator configures counts.
  const strong = passwords({ world, rounds: 1_000_001 });
  const own: User = { id: 'o', name: 'o', extra: { password: await strong.hash('o', 'pw') } };
  expect(await strong.verify('o', own, 'pw')).toBe(true);
});

it('recognises a verified pair without hashing until it is old or the user has changed', async () => {
  const user: User = {
    id: 'u',
    name: 'anna',
    extra: { password: await slow.hash('u', 'pw'), enabled: true },
  };
  const first = await processorMs(() => slow.verify('anna', user, 'pw'));
  const again: number[] = [];
  for (let i = 0; i < 5; i++) again.push(await processorMs(() => slow.verify('anna', user, 'pw')));
  // The least: something else may run in any single one.
  expect(Math.min(...again)).toBeLessThan(first / 4);
  expect(await slow.verify('anna', user, 'wrong')).toBe(false);
  const changed = { ...user, extra: { ...user.extra, email: 'new' } };
  expect(await processorMs(() => slow.verify('anna', changed, 'pw'))).toBeGreaterThan(first / 4);
  await clock.advance(IDENTITY_LIMITS.verifiedPairMs + 1);
  expect(await processorMs(() => slow.verify('anna', user, 'pw'))).toBeGreaterThan(first / 4);
});

it('refuses users without a usable hash', async () => {
  for (const password of [null, '', 'plain', '$1$abc$def', 5, undefined]) {
    expect(await slow.verify('anna', { id: 'u', name: 'n', extra: { password } }, 'plain')).toBe(false);
  }
  expect(await slow.verify('anna', null, 'x')).toBe(false);
});

it('tells callers to come back when too many wait', async () => {
  const many = passwords({ world, rounds: 1000 });
  const all = await Promise.allSettled(
    Array.from({ length: IDENTITY_LIMITS.hashesWaitingMax + availableParallelism() + 5 }, (_, i) =>
      many.hash(`u${i}`, `p${i}`),
    ),
  );
  const refused = all.filter(item => item.status === 'rejected');
  expect(refused).toHaveLength(5);
  expect((refused[0] as PromiseRejectedResult).reason).toMatchObject({ status: 503 });
});
