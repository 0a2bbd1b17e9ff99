import { seededRandom, silentLogger } from '@folsom/core';
import { type Delivered, type OutboxRow, type OutboxStore, relay } from '@folsom/rpc';
import { expect, it } from 'vitest';
import { fakeClock } from './fake-clock.ts';

const row = (number: number, topic = 't'): OutboxRow => ({
  row: number,
  id: `m${number}`,
  topic,
  text: '{}',
});

/** A bus whose acknowledgements the test gives, and a store that notes what becomes of rows. */
function world() {
  const clock = fakeClock();
  const given: { id: string; done: (end: Delivered) => void; lost: (error: Error) => void }[] = [];
  const removed: number[] = [];
  const buried: [number, string][] = [];
  const refusing = { now: false };
  const kept: OutboxRow[] = [];
  const store: OutboxStore = {
    claim: async ({ except, limit }) =>
      kept.filter(({ row }) => !except.has(row) && !removed.includes(row)).slice(0, limit),
    renew: async () => {},
    remove: async rows => void removed.push(...rows),
    bury: async ({ row }, reason) => void buried.push([row, reason]),
  };
  const carrier = relay({
    store,
    bus: {
      deliver: ({ id }) => {
        if (refusing.now) {
          const refused = Promise.reject(new Error('away'));
          return { taken: refused, done: refused };
        }
        const { promise, resolve, reject } = Promise.withResolvers<Delivered>();
        given.push({ id, done: resolve, lost: reject });
        return { taken: Promise.resolve(), done: promise };
      },
    },
    world: { clock, random: seededRandom(1), log: silentLogger },
    owner: 'api',
    takesOrphans: false,
  });
  return { clock, carrier, given, removed, buried, refusing, kept };
}

it('keeps a row until the bus has acknowledged its message', async () => {
  const { clock, carrier, given, removed } = world();
  carrier.handOver([row(1), row(2)]);
  await clock.advance(0);
  expect(given.map(({ id }) => id)).toEqual(['m1', 'm2']);
  await clock.advance(60_000);
  expect(removed).toEqual([]);
  given[1]!.done({});
  await clock.advance(0);
  expect(removed).toEqual([2]);
  given[0]!.done({});
  await clock.advance(0);
  expect(removed).toEqual([2, 1]);
  await carrier.stop();
});

it('keeps a row whose message was given up, with the reason', async () => {
  const { clock, carrier, given, removed, buried } = world();
  carrier.handOver([row(1)]);
  await clock.advance(0);
  given[0]!.done({ dead: 'the database is away' });
  await clock.advance(0);
  expect(buried).toEqual([[1, 'the database is away']]);
  expect(removed).toEqual([]);
  await carrier.stop();
});

it('gives what the bus refused again after a pause, in its order', async () => {
  const { clock, carrier, given, refusing } = world();
  refusing.now = true;
  carrier.handOver([row(1), row(2)]);
  await clock.advance(500);
  expect(given).toEqual([]);
  refusing.now = false;
  await clock.advance(1000);
  expect(given.map(({ id }) => id)).toEqual(['m1', 'm2']);
  for (const { done } of given) done({});
  await carrier.stop();
});

it('takes up what a former life has left, and not what may not be committed yet', async () => {
  const { clock, carrier, given, kept } = world();
  kept.push(row(1), row(2));
  carrier.hold(2);
  const started = carrier.start();
  await clock.advance(0);
  await started;
  expect(given.map(({ id }) => id)).toEqual(['m1']);
  carrier.handOver([row(2)]);
  await clock.advance(0);
  expect(given.map(({ id }) => id)).toEqual(['m1', 'm2']);
  for (const { done } of given) done({});
  await clock.advance(0);
  await carrier.stop();
});
