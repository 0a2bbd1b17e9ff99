import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootBody, DEMO, makeActive, startTestApi, type TestApi } from './test-api.ts';

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
      await apis[0]!.call('DELETE', `servers/${first.uuid}`);
      await apis[0]!.call('DELETE', `servers/${second.uuid}`);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => pick(n).call('POST', 'servers', { body: bootBody() })),
      );
      expect(answers.filter(answer => answer.status === 202)).toHaveLength(2);
      expect(await live()).toHaveLength(10);
    });

    it('a resize holds what it will need, and gives it back when it is refused', async () => {
      const api = apis[0]!;
      const [instance] = await live();
      await makeActive(api, instance.uuid);
      // 20 cores, 10 in use: m1.xlarge has 8 and fits once.
      const resize = (flavorRef: string) =>
        api.call('POST', `servers/${instance.uuid}/action`, { body: { resize: { flavorRef } } });
      const answers = await Promise.all([resize('5'), resize('5'), resize('5')]);
      expect(answers.map(answer => answer.status).sort()[0]).toBe(202);
      const held = await api.db.knex('reservations').where({ deleted: 0 }).select('resource', 'delta');
      expect(held.map(row => `${row.resource} ${row.delta}`).sort()).toEqual(['cores 7', 'ram 15872']);
      const other = (await live()).find(row => row.uuid !== instance.uuid)!;
      await makeActive(api, other.uuid);
      const over = await api.call('POST', `servers/${other.uuid}/action`, {
        body: { resize: { flavorRef: '5' } },
      });
      expect(over.status).toBe(413);
      expect(over.json.overLimit.message).toMatch(/^Quota exceeded for cores/);
    });

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
