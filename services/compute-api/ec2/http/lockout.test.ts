import { fakeClock } from '@folsom/testing';
import { expect, it } from 'vitest';
import { lockout } from './lockout.ts';

const MINUTE_MS = 60_000;
const locked = expect.objectContaining({ name: 'AccessKeyLocked' });

it('locks a key at its last attempt, for the minutes that are set, and no other key', async () => {
  const clock = fakeClock();
  const keys = lockout({ attempts: 3, minutes: 15, window: 5 }, clock);
  expect([keys.failed('a'), keys.failed('a')]).toEqual([false, false]);
  keys.check('a');
  // The window is nearly over, the lock lasts its own time.
  await clock.advance(5 * MINUTE_MS - 1);
  expect(keys.failed('a')).toBe(true);
  expect(() => keys.check('a')).toThrow(locked);
  keys.check('b');
  await clock.advance(15 * MINUTE_MS - 1);
  expect(() => keys.check('a')).toThrow(locked);
  await clock.advance(1);
  keys.check('a');
  expect(keys.failed('a')).toBe(false);
});

it('counts the failures of one window together, from the first on', async () => {
  const clock = fakeClock();
  const keys = lockout({ attempts: 2, minutes: 15, window: 5 }, clock);
  keys.failed('a');
  await clock.advance(5 * MINUTE_MS);
  expect(keys.failed('a')).toBe(false);
  await clock.advance(5 * MINUTE_MS - 1);
  expect(keys.failed('a')).toBe(true);
});

it('says once that a key is locked', () => {
  const keys = lockout({ attempts: 1, minutes: 15, window: 5 }, fakeClock());
  expect([keys.failed('a'), keys.failed('a')]).toEqual([true, false]);
});

it('locks none where no attempt is counted', () => {
  const keys = lockout({ attempts: 0, minutes: 15, window: 5 }, fakeClock());
  for (let n = 0; n < 20; n++) expect(keys.failed('a')).toBe(false);
  keys.check('a');
});
