import { configFrom } from '@folsom/config';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { dbSync, openDatabase, toSqlTime } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { createLocalBus } from '@folsom/rpc';
import { expect, it } from 'vitest';
import { auditVolumes } from './usage-audit.ts';

it('tells of every volume that was there in the last period, deleted ones as well', async () => {
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const world = {
    clock: { ...systemClock, now: () => Date.UTC(2012, 8, 27, 10) },
    random: systemRandom,
    log: silentLogger,
  };
  const bus = createLocalBus(world, {});
  const told: { event: unknown; payload: Record<string, unknown> }[] = [];
  bus.onNotification((_topic, { event_type, payload }) =>
    told.push({ event: event_type, payload: payload as Record<string, unknown> }),
  );
  const at = (month: number, day: number) => toSqlTime(Date.UTC(2012, month, day));
  const row = (id: string, created: string, deleted: string | null) => ({
    id,
    size: 1,
    status: 'available',
    project_id: 'p',
    user_id: 'u',
    created_at: created,
    deleted_at: deleted,
    deleted: deleted === null ? 0 : 1,
  });
  await db
    .knex('volumes')
    .insert([
      row('there', at(6, 1), null),
      row('gone within', at(6, 2), at(7, 10)),
      row('gone before', at(6, 3), at(6, 20)),
      row('made later', at(8, 2), null),
    ]);
  const config = configFrom([novaOptions], {
    DEFAULT: { host: 'node1', notification_driver: 'nova.openstack.common.notifier.rabbit_notifier' },
  });
  const said: string[] = [];
  await auditVolumes({ config, db, bus, world }, line => said.push(line));
  expect(said).toEqual([
    'Starting volume usage audit',
    'Creating usages for 2012-08-01 00:00:00 until 2012-09-01 00:00:00',
    'Found 2 volumes',
    'Volume usage audit completed',
  ]);
  expect(told.map(({ event, payload }) => [event, payload.volume_id])).toEqual([
    ['volume.exists', 'there'],
    ['volume.exists', 'gone within'],
  ]);
  expect(told[0]!.payload).toMatchObject({
    tenant_id: 'p',
    audit_period_beginning: '2012-08-01 00:00:00',
    audit_period_ending: '2012-09-01 00:00:00',
  });
  await bus.close();
  await db.close();
});
