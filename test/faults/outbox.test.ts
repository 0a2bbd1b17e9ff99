import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  requestContext,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { HOST_ENV } from '@folsom/host';
import { startBackground } from '@folsom/host/background';
import { novaOutbox } from '@folsom/nova/outbox';
import { passing } from '@folsom/nova/passing';
import { createLocalBus, createRabbitBus, type ServeOptions } from '@folsom/rpc';
import {
  fakeClock,
  type RabbitServer,
  rabbitOptions,
  serverMissing,
  startRabbit,
  type TempDir,
  tempDir,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const context = requestContext({ userId: 'u', projectId: 'p', authToken: 'MARKED-token' });
/** A boot's message, with all that must not lie about. */
const message = {
  method: 'run_instance',
  args: {
    admin_password: 'MARKED-password',
    injected_files: [['/etc/motd', 'MARKED-file']],
    request_spec: { instance_properties: { uuid: 'i', user_data: 'MARKED-data' } },
  },
};
const away = () => {
  throw Object.assign(new Error('connect ECONNREFUSED mysql://nova:MARKED-login@db/nova'), {
    code: 'ECONNREFUSED',
    fatal: true,
  });
};

describe.skipIf(serverMissing('rabbit'))('a sender that is killed', { timeout: 240_000 }, () => {
  let broker: RabbitServer;
  let dir: TempDir;
  let connection: string;
  let db: Database;

  beforeAll(async () => {
    dir = tempDir('outbox');
    connection = `sqlite:///${dir.path}/nova.sqlite`;
    db = await openDatabase({ connection });
    await dbSync(db, 'nova');
    broker = await startRabbit();
  }, 240_000);
  afterAll(async () => {
    await broker?.stop();
    await db.close();
    dir.remove();
  });

  const sender = (where: string) =>
    startBackground(
      [
        process.execPath,
        fileURLToPath(new URL('./outbox-victim.ts', import.meta.url)),
        connection,
        `${broker.port}`,
        join(dir.path, where),
        where,
      ],
      { dieWithParent: true, env: { ...HOST_ENV, PATH: process.env.PATH! } },
    );

  it.each([
    ['between commit and publish', 'before'],
    ['between publish and confirm', 'confirm'],
  ])('%s: what it has committed is worked on once, and then forgotten', async (_words, where) => {
    const victim = await sender(where);
    await expect.poll(() => existsSync(join(dir.path, where)), { timeout: 60_000 }).toBe(true);
    victim.signal('SIGKILL');
    await victim.ended;
    expect(await db.knex('instances').where({ uuid: where })).toHaveLength(1);
    expect(await db.knex('folsom_outbox').select('topic', 'dead_reason')).toEqual([
      { topic: 'work', dead_reason: null },
    ]);

    const worked: string[] = [];
    const world = { clock: systemClock, random: systemRandom, log: silentLogger };
    const bus = createRabbitBus({ options: rabbitOptions(broker.port), world });
    const go = (_: unknown, { uuid }: { uuid: string }) => void worked.push(uuid);
    await bus.serve({ topic: 'work', host: 'h', handlers: { go } as unknown as ServeOptions['handlers'] });
    const again = await sender('never');
    expect((await again.ended).code).toBe(0);
    expect(await db.knex('folsom_outbox')).toEqual([]);
    // A message behind it shows that the queue is through.
    await bus.cast(context, 'work', { method: 'go', args: { uuid: 'last' } });
    await expect.poll(() => worked.at(-1), { timeout: 30_000 }).toBe('last');
    expect(worked).toEqual([where, 'last']);
    await bus.close();
  });
});

describe('in process', () => {
  it('a message that is given up stays as a row with its reason and without secrets; delivered ones are gone', async () => {
    const clock = fakeClock();
    const world: World = { clock, random: seededRandom(1), log: silentLogger };
    const db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    const bus = createLocalBus(world);
    const outbox = novaOutbox({ db, bus, world, owner: 'api', alone: true });
    const given: string[] = [];
    await bus.serve({
      topic: 'hopeless',
      host: 'h',
      handlers: { run_instance: away, fine: () => null },
      recovery: { passing, abandoned: async (_, method) => void given.push(method) },
    });
    await outbox.start();
    await outbox.transaction(async (_trx, send) => {
      await send.cast(context, 'hopeless', message);
      await send.cast(context, 'hopeless', { method: 'fine', args: {} });
    });
    const rows = () => db.knex('folsom_outbox').select('topic', 'body', 'dead_reason');
    for (let waited = 0; given.length === 0 && waited < 4 * 3600; waited += 30) await clock.advance(30_000);
    expect(given).toEqual(['run_instance']);
    await expect.poll(async () => (await rows()).map(row => row.dead_reason !== null)).toEqual([true]);
    const row = (await rows())[0]!;
    expect(row.dead_reason).toContain('connect ECONNREFUSED');
    expect(JSON.parse(row.body)).toMatchObject({ method: 'run_instance', _context_user_id: 'u' });
    expect(row.body + row.dead_reason).not.toContain('MARKED');
    await outbox.stop();
    await bus.close();
    await db.close();
  });
});
