// A sender in a process of its own, for the test that kills it: `node outbox-victim.ts DATABASE PORT MARK WHERE`. It writes a
// row and a message in one transaction and stops for ever `before` the message is published or before its `confirm` is
// heard; with `never` it carries on and ends once nothing is kept.
import { writeFileSync } from 'node:fs';
import { createLogger, requestContext, systemClock, systemRandom } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { novaOutbox } from '@folsom/nova/outbox';
import { type Bus, createRabbitBus } from '@folsom/rpc';
import { rabbitOptions } from '@folsom/testing';

const [connection, port, mark, where] = process.argv.slice(2) as [string, string, string, string];
const world = { clock: systemClock, random: systemRandom, log: createLogger({ level: 'warn' }) };
const db = await openDatabase({ connection });
const broker = createRabbitBus({ options: rabbitOptions(Number(port)), world });
const never = () => new Promise<never>(() => {});
/** Says how far it has come; whoever watches the file kills it then. */
const reached = () => writeFileSync(mark, where);

const bus: Bus = {
  ...broker,
  deliver: kept => {
    if (where === 'before') {
      reached();
      return { taken: never(), done: never() };
    }
    const delivery = broker.deliver(kept);
    if (where !== 'confirm') return delivery;
    void delivery.taken.then(reached);
    return { taken: never(), done: never() };
  },
};
const outbox = novaOutbox({ db, bus, world, owner: 'victim', takesOrphans: true });
if (where === 'never') {
  await outbox.start();
  while ((await db.knex('folsom_outbox')).length > 0) await systemClock.sleep(20);
  await outbox.stop();
  await broker.close();
  await db.close();
} else {
  await outbox.transaction(async (trx, send) => {
    await trx('instances').insert({ uuid: where, vm_state: 'building', deleted: 0 });
    await send.cast(requestContext(), 'work', { method: 'go', args: { uuid: where } });
  });
  await never();
}
