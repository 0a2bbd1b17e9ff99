import { fakeClock } from '@folsom/testing';
import { expect, it } from 'vitest';
import { hashQueue } from './hash-queue.ts';

const LIMITS = { atATime: 2, waitingMax: 100, waitingOfOneMax: 10, waitMs: 1000 };

/** Work that ends when it is told to. */
function held() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    endFirst: async () => {
      ends.shift()!();
      await new Promise(resolve => setImmediate(resolve));
    },
    work: (name: string) => () => {
      begun.push(name);
      return new Promise<void>(resolve => void ends.push(resolve));
    },
  };
}

it('lets nobody wait for another who asks a thousand times', async () => {
  const queue = hashQueue(fakeClock(), LIMITS);
  const { begun, endFirst, work } = held();
  const all: Promise<unknown>[] = [];
  const ask = (name: string) => all.push(queue(name, work(name)).catch(error => error.status));
  for (let i = 0; i < 8; i++) ask('eve');
  ask('anna');
  expect(begun).toEqual(['eve', 'anna']);
  for (const name of ['bob', 'carl', 'dora']) ask(name);
  for (let i = 0; i < 5; i++) await endFirst();
  // Eve has had two turns of seven places; everybody else his own.
  expect(begun.slice(0, 7).filter(name => name === 'eve').length).toBeLessThanOrEqual(3);
  expect(begun.slice(0, 7)).toEqual(expect.arrayContaining(['anna', 'bob', 'carl', 'dora']));
  while (begun.length < 12) await endFirst();
  await endFirst();
  await endFirst().catch(() => {});
  await Promise.all(all);
});

it('tells those beyond the limits to come back: of one name, of all, and in time', async () => {
  const clock = fakeClock();
  const queue = hashQueue(clock, { ...LIMITS, waitingMax: 12 });
  const { endFirst, work } = held();
  const results: unknown[] = [];
  const ask = (name: string) =>
    queue(name, work(name)).then(
      () => results.push('done'),
      error => results.push(error.status),
    );
  const settled = () => new Promise(resolve => setImmediate(resolve));
  for (let i = 0; i < 12; i++) void ask('eve');
  await settled();
  expect(results).toEqual([503]);
  void ask('anna');
  for (let i = 0; i < 3; i++) void ask(`other-${i}`);
  await settled();
  expect(results).toEqual([503, 503]);
  await clock.advance(1001);
  await settled();
  expect(results).toHaveLength(14);
  expect(new Set(results)).toEqual(new Set([503]));
  await endFirst();
  await endFirst();
  expect(results.slice(14)).toEqual(['done', 'done']);
  // Nothing is left behind of those who went away.
  void ask('eve');
  await endFirst();
  expect(results).toHaveLength(17);
});
