import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootBody, DEMO, makeActive, OTHER, startTestApi, type TestApi } from './test-api.ts';

/** What knex has of its pool. */
interface Pool {
  numUsed(): number;
  numPendingAcquires(): number;
}

const mariaDb = serverMissing('mariadb') === false;

describe.each([
  ['SQLite', true],
  ['MariaDB', mariaDb],
])('quota races on %s', (kind, there) => {
  describe.skipIf(!there)('', () => {
    let server: MariaDb | undefined;
    const apis: TestApi[] = [];

    beforeAll(async () => {
      if (kind === 'MariaDB') server = await startMariaDb();
      const connection = await server?.createDatabase('nova');
      // Two services on one database where the database can be shared.
      for (let n = 0; n < (connection ? 2 : 1); n++)
        apis.push(await startTestApi({ seed: n, ...(connection ? { connection } : {}) }));
    }, 240_000);
    afterAll(async () => {
      for (const api of apis) await api.stop();
      await server?.stop();
    });

    const pick = (n: number): TestApi => apis[n % apis.length]!;
    const live = (project_id = DEMO) =>
      apis[0]!.db.knex('instances').where({ project_id, deleted: 0 }).select('uuid', 'vm_state');

    it('fifty boots at the same moment give the ten that fit, and nothing is left of the others', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => pick(n).call('POST', 'servers', { body: bootBody() })),
      );
      const accepted = answers.filter(answer => answer.status === 202);
      expect(accepted).toHaveLength(10);
      for (const answer of answers.filter(item => item.status !== 202)) {
        expect(answer.status).toBe(413);
        expect(answer.json.overLimit.message).toMatch(
          /^Quota exceeded for instances: Requested 1, but already used/,
        );
      }
      expect(await live()).toHaveLength(10);
      const { knex } = apis[0]!.db;
      const of = async (table: string) => (await knex(table).where({ deleted: 0 })).length;
      expect(await of('instance_info_caches')).toBe(10);
      expect(await of('security_group_instance_association')).toBe(10);
      // Both services met the tenant for the first time: it has one default group all the same.
      expect(
        await knex('security_groups').where({ project_id: DEMO, name: 'default', deleted: 0 }),
      ).toHaveLength(1);
      expect(await of('reservations')).toBe(0);
    });

    it('deletes make room for exactly as many', async () => {
      const [first, second] = await live();
      await apis[0]!.call('DELETE', `servers/${first!.uuid}`);
      await apis[0]!.call('DELETE', `servers/${second!.uuid}`);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => pick(n).call('POST', 'servers', { body: bootBody() })),
      );
      expect(answers.filter(answer => answer.status === 202)).toHaveLength(2);
      expect(await live()).toHaveLength(10);
    });

    it('a resize holds what it will need, and gives it back when it is refused', async () => {
      const api = apis[0]!;
      const [instance] = await live();
      await makeActive(api, instance!.uuid);
      // 20 cores, 10 in use: m1.xlarge has 8 and fits once.
      const resize = (flavorRef: string) =>
        api.call('POST', `servers/${instance!.uuid}/action`, { body: { resize: { flavorRef } } });
      const answers = await Promise.all([resize('5'), resize('5'), resize('5')]);
      expect(answers.map(answer => answer.status).sort()[0]).toBe(202);
      const held = await api.db.knex('reservations').where({ deleted: 0 }).select('resource', 'delta');
      expect(held.map(row => `${row.resource} ${row.delta}`).sort()).toEqual(['cores 7', 'ram 15872']);
      const other = (await live()).find(row => row.uuid !== instance!.uuid)!;
      await makeActive(api, other.uuid);
      const over = await api.call('POST', `servers/${other.uuid}/action`, {
        body: { resize: { flavorRef: '5' } },
      });
      expect(over.status).toBe(413);
      expect(over.json.overLimit.message).toMatch(/^Quota exceeded for cores/);
    });

    // SQLite has one writer anyway, and no pool.
    if (kind === 'MariaDB')
      it('five hundred boots at the same moment leave connections to others, and no server without its message', async () => {
        const [api] = apis as [TestApi];
        const room = 400;
        const quota_set = { instances: room, cores: -1, ram: -1 };
        expect(
          (await api.call('PUT', `os-quota-sets/${OTHER}`, { body: { quota_set }, admin: true })).status,
        ).toBe(200);
        for (const { messages } of apis) messages.length = 0;
        const pools = apis.map(({ db }) => (db.knex.client as { pool: Pool }).pool);
        const held: number[] = [];
        let over = false;
        /** Another tenant goes on meanwhile. */
        const beside = (async () => {
          while (!over) {
            await new Promise(resolve => setTimeout(resolve, 50));
            held.push(...pools.map(pool => pool.numUsed() + pool.numPendingAcquires()));
            expect((await pick(held.length >> 1).call('GET', 'servers', { timeoutMs: 230_000 })).status).toBe(
              200,
            );
          }
        })();
        const answers = await Promise.all(
          Array.from({ length: 500 }, (_, n) =>
            pick(n).call('POST', 'servers', { body: bootBody(), token: 'other', timeoutMs: 230_000 }),
          ),
        );
        over = true;
        await beside;
        const statuses = answers.map(({ status }) => status);
        expect([
          statuses.filter(one => one === 202).length,
          statuses.filter(one => one === 413).length,
        ]).toEqual([room, 500 - room]);
        // Who waits for his tenant's turn holds no connection and waits for none, or others would wait for them all.
        expect(held.length, 'looks at the pools, a request of another tenant between two').toBeGreaterThan(
          10,
        );
        expect(held.toSorted((x, y) => x - y)[held.length >> 1]).toBeLessThan(8);
        const rows = (await live(OTHER)) as { uuid: string }[];
        expect(rows).toHaveLength(room);
        const told = () =>
          apis
            .flatMap(({ messages }) => messages.filter(({ to }) => to === 'scheduler.run_instance'))
            .flatMap(({ args }) => (args.request_spec as { instance_uuids: string[] }).instance_uuids);
        // Each at least once: a message whose turn took long may be carried again.
        await expect
          .poll(() => [...new Set(told())].sort(), { timeout: 60_000 })
          .toEqual(rows.map(({ uuid }) => uuid).sort());
        const { knex } = api.db;
        await expect.poll(async () => (await knex('folsom_outbox')).length).toBe(0);
        expect(await knex('reservations').where({ deleted: 0, project_id: OTHER })).toEqual([]);
        const usages = knex('quota_usages').where({ project_id: OTHER }).orderBy('resource');
        expect(
          await usages
            .whereIn('resource', ['instances', 'cores', 'ram'])
            .select('resource', 'in_use', 'reserved'),
        ).toEqual([
          { resource: 'cores', in_use: room, reserved: 0 },
          { resource: 'instances', in_use: room, reserved: 0 },
          { resource: 'ram', in_use: room * 512, reserved: 0 },
        ]);
      }, 240_000);

    it('a hundred keys of one name are one key', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          pick(n).call('POST', 'os-keypairs', {
            body: {
              keypair: {
                name: 'k',
                public_key:
                  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGGpXBkMBwS3mIYJzHOgNJcUyTHqTHvHkHJ9WkVdFGVu',
              },
            },
          }),
        ),
      );
      expect(answers.filter(answer => answer.status === 200)).toHaveLength(1);
      expect(answers.filter(answer => answer.status === 409)).toHaveLength(19);
    });
  });
});
