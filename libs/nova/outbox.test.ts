import { requestContext, seededRandom, silentLogger } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import type { Bus, Delivered, KeptMessage } from '@folsom/rpc';
import { type FakeClock, fakeClock } from '@folsom/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { novaOutbox, type Outbox } from './outbox.ts';

const context = requestContext({ userId: 'u', projectId: 'p' });
let db: Database;
let clock: FakeClock;
const open: Outbox[] = [];
beforeEach(async () => {
  clock = fakeClock();
  db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
});
afterEach(async () => {
  for (const outbox of open.splice(0)) await outbox.stop();
  await db.close();
});

/** A process; its bus has what it was given, and acknowledges at once or never. */
function process(owner: string, acknowledges: boolean) {
  const given: KeptMessage[] = [];
  const bus = {
    deliver: (kept: KeptMessage) => {
      given.push(kept);
      const done = acknowledges ? Promise.resolve<Delivered>({}) : new Promise<Delivered>(() => {});
      return { taken: Promise.resolve(), done };
    },
  } as unknown as Bus;
  const world = { clock, random: seededRandom(owner.length), log: silentLogger };
  const outbox = novaOutbox({ db, bus, world, owner, takesOrphans: true });
  open.push(outbox);
  return { outbox, given };
}
const rows = () => db.knex('folsom_outbox').orderBy('id').select('owner', 'topic');
const start = async (...outboxes: Outbox[]) => {
  const started = Promise.all(outboxes.map(outbox => outbox.start()));
  await expect
    .poll(() => Promise.race([started.then(() => true), clock.advance(0).then(() => false)]))
    .toBe(true);
};

it('a message and the rows it speaks of are there together, or not at all', async () => {
  const { outbox, given } = process('api', false);
  const ask = (fails: boolean) =>
    outbox.transaction(async (trx, send) => {
      await trx('volumes').insert({ id: fails ? 'lost' : 'kept', deleted: 0 });
      await send.cast(context, 'volume', { method: 'create_volume', args: {} });
      if (fails) throw new Error('no');
    });
  await expect(ask(true)).rejects.toThrow('no');
  expect(await rows()).toEqual([]);
  await ask(false);
  expect(await db.knex('volumes').pluck('id')).toEqual(['kept']);
  expect(await rows()).toEqual([{ owner: 'api', topic: 'volume' }]);
  expect(given.map(({ topic }) => topic)).toEqual(['volume']);
});

it('of two processes one takes what a dead one has left, when its time is over', async () => {
  const dead = process('dead', false);
  for (let n = 0; n < 5; n++) await dead.outbox.bus.cast(context, 't', { method: `m${n}`, args: {} });
  const [one, two] = [process('one', true), process('two!', true)];
  await start(one.outbox, two.outbox);
  expect([...one.given, ...two.given]).toEqual([]);
  await expect
    .poll(async () => {
      await clock.advance(61_000);
      return rows();
    })
    .toEqual([]);
  const taken = [...one.given, ...two.given].map(
    ({ text }) => (JSON.parse(text) as { method: string }).method,
  );
  expect(taken.sort()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
});

it('a process that comes back takes up its own at once', async () => {
  const before = process('api', false);
  await before.outbox.bus.cast(context, 't', { method: 'go', args: {} });
  const after = process('api', true);
  await start(after.outbox);
  await expect.poll(() => after.given.length).toBe(1);
  expect(after.given[0]!.id).toBe(before.given[0]!.id);
  await expect.poll(rows).toEqual([]);
});
