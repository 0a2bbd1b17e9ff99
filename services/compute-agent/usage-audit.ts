import { adminContext, sqlSeconds } from '@folsom/core';
import { toSqlTime } from '@folsom/db';
import { lastAuditPeriod } from '@folsom/nova/audit-period';
import { joinInstances } from '@folsom/nova/instance-records';
import { instanceFrom } from '@folsom/nova/instances';
import type { ComputeSeam } from './seam.ts';

const TASK = 'instance_usage_audit';
/** Instances read at a time. */
const PAGE = 200;

/**
 * Says `compute.instance.exists` of every instance that was on this host in the last whole period, once a period. How that
 * went is for `nova usage-audit`: a run that a crash has cut short is begun again, and its instances are told of twice.
 */
export async function auditUsage(seam: ComputeSeam): Promise<void> {
  const { settings, db, host, world } = seam;
  if (!settings.instance_usage_audit) return;
  const { begin, end } = lastAuditPeriod(settings.instance_usage_audit_period, world.clock.now());
  const period = {
    task_name: TASK,
    host,
    period_beginning: sqlSeconds(begin),
    period_ending: sqlSeconds(end),
  };
  const before = await db.knex('task_log').where(period).first('state');
  if (before?.state === 'DONE') return;
  const log = (values: Record<string, unknown>): Promise<unknown> =>
    db.knex('task_log').where(period).update(values);
  const started = world.clock.monotonic();
  const [counted] = await activeBetween(seam, begin, end).count({ count: '*' });
  const count = Number(counted?.count ?? 0);
  const running = { state: 'RUNNING', message: 'Instance usage audit started...', task_items: count };
  if (before === undefined) {
    const created_at = toSqlTime(world.clock.now());
    await db.knex('task_log').insert({ ...period, ...running, errors: 0, created_at, deleted: 0 });
  } else await log(running);

  let errors = 0;
  for (let last = 0; ; ) {
    const rows = await activeBetween(seam, begin, end)
      .where('id', '>', last)
      .orderBy('id')
      .limit(PAGE)
      .select();
    for (const record of await joinInstances(db.knex, rows.map(instanceFrom))) {
      await seam.notify.exists(adminContext(), record, 'last').catch(error => {
        seam.log.error('the usage of an instance cannot be told', { instance: record.uuid, error });
        errors++;
      });
    }
    last = rows.at(-1)?.id ?? last;
    if (rows.length < PAGE) break;
  }
  const seconds = (world.clock.monotonic() - started) / 1000;
  const message = `Instance usage audit ran for host ${host}, ${count} instances in ${seconds} seconds.`;
  await log({ state: 'DONE', errors, message });
}

/** Deleted ones too. */
const activeBetween = ({ db, host }: ComputeSeam, begin: number, end: number) =>
  db
    .knex('instances')
    .where({ host })
    .where('launched_at', '<', toSqlTime(end))
    .where(rows => {
      void rows.whereNull('terminated_at').orWhere('terminated_at', '>', toSqlTime(begin));
    });
