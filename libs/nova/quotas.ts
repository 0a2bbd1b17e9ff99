import { must } from '@folsom/core';
import { type Knex, prepared, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, type Sql } from './rows.ts';

/**
 * Quotas. Usage is counted from the tables themselves under a lock on the tenant's usage rows, so it can never drift
 * from what there is; what is promised but not there yet (a resize under way) stands in `reservations`.
 */

/** Resources in the order Folsom lists them. */
export const QUOTA_RESOURCES = [
  'instances',
  'cores',
  'ram',
  'volumes',
  'gigabytes',
  'floating_ips',
  'fixed_ips',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
  'injected_file_path_bytes',
  'security_groups',
  'security_group_rules',
  'key_pairs',
] as const;
export type QuotaResource = (typeof QUOTA_RESOURCES)[number];

/** Resources whose use is counted for a tenant. */
export const COUNTED = [
  'instances',
  'cores',
  'ram',
  'volumes',
  'gigabytes',
  'floating_ips',
  'fixed_ips',
  'security_groups',
] as const;
export type CountedResource = (typeof COUNTED)[number];

export type Limits = Record<QuotaResource, number>;
export type Deltas = Partial<Record<CountedResource, number>>;
export interface Usage {
  in_use: number;
  reserved: number;
}
export type Usages = Record<CountedResource, Usage>;

export const isQuotaResource = (name: string): name is QuotaResource =>
  (QUOTA_RESOURCES as readonly string[]).includes(name);

/** The limits of nova.conf: pass `config.of(novaOptions)`. */
export const defaultLimits = (options: Readonly<Record<string, unknown>>): Limits =>
  Object.fromEntries(QUOTA_RESOURCES.map(name => [name, Number(options[`quota_${name}`])])) as Limits;

/** A tenant's limits: its own, else those of nova.conf. -1 is no limit. */
export async function limitsOf(sql: Sql, projectId: string, defaults: Limits): Promise<Limits> {
  const limits = { ...defaults };
  for (const { resource, hard_limit } of await ownLimits(sql, projectId)) {
    if (isQuotaResource(resource)) limits[resource] = hard_limit ?? -1;
  }
  return limits;
}
const ownLimits = prepared(
  (sql, projectId: string) =>
    sql('quotas')
      .where({ ...alive, project_id: projectId })
      .select('resource', 'hard_limit') as PromiseLike<{ resource: string; hard_limit: number | null }[]>,
);

/** The limits of a quota class; classes stand beside the tenants' limits and change none of them. */
export async function classLimits(sql: Sql, className: string, defaults: Limits): Promise<Limits> {
  const rows = (await sql('quota_classes')
    .where({ ...alive, class_name: className })
    .select('resource', 'hard_limit')) as { resource: string; hard_limit: number | null }[];
  const limits = { ...defaults };
  for (const { resource, hard_limit } of rows) {
    if (isQuotaResource(resource)) limits[resource] = hard_limit ?? -1;
  }
  return limits;
}

export async function setLimit(
  sql: Sql,
  projectId: string,
  resource: QuotaResource,
  limit: number,
  now: number,
): Promise<void> {
  await upsert(sql, 'quotas', { project_id: projectId, resource }, { hard_limit: limit }, now);
}

export async function setClassLimit(
  sql: Sql,
  className: string,
  resource: QuotaResource,
  limit: number,
  now: number,
): Promise<void> {
  await upsert(sql, 'quota_classes', { class_name: className, resource }, { hard_limit: limit }, now);
}

async function upsert(
  sql: Sql,
  table: string,
  key: Record<string, string>,
  values: Record<string, number>,
  now: number,
): Promise<void> {
  const changed = await sql(table)
    .where({ ...alive, ...key })
    .update({ ...values, updated_at: toSqlTime(now) });
  if (!changed) await sql(table).insert({ ...key, ...values, deleted: 0, created_at: toSqlTime(now) });
}

/** Which rows of a table count, and for what: the number of rows, then sums of columns. */
interface Count {
  names: readonly CountedResource[];
  sums: readonly string[];
  rows(sql: Sql, projectId: string): Knex.QueryBuilder;
}

const COUNTS: readonly Count[] = [
  {
    // An instance counts until its deletion has been asked for.
    names: ['instances', 'cores', 'ram'],
    sums: ['vcpus', 'memory_mb'],
    rows: (sql, project_id) =>
      sql('instances')
        .where({ ...alive, project_id })
        .where(where => void where.whereNull('task_state').orWhereNot('task_state', 'deleting')),
  },
  {
    names: ['volumes', 'gigabytes'],
    sums: ['size'],
    rows: (sql, project_id) => sql('volumes').where({ ...alive, project_id }),
  },
  {
    names: ['floating_ips'],
    sums: [],
    rows: (sql, project_id) => sql('floating_ips').where({ ...alive, project_id, auto_assigned: 0 }),
  },
  {
    names: ['security_groups'],
    sums: [],
    rows: (sql, project_id) => sql('security_groups').where({ ...alive, project_id }),
  },
  {
    // One that was given back waits for the end of its lease with its server, or for long after it.
    names: ['fixed_ips'],
    sums: [],
    rows: (sql, project_id) =>
      sql('fixed_ips as f')
        .join('instances as i', 'i.uuid', 'f.instance_uuid')
        .where({ 'f.deleted': 0, 'f.allocated': 1, 'i.deleted': 0, 'i.project_id': project_id }),
  },
];

/**
 * What a tenant has now, and what is promised to it, in one statement. Resources that are not asked for, and share no table with
 * one that is, read 0.
 */
export async function usagesOf(
  sql: Sql,
  projectId: string,
  wanted: readonly CountedResource[] = COUNTED,
): Promise<Usages> {
  const asked = COUNTS.map(({ names }) => names.some(name => wanted.includes(name)));
  const kept = { cores: wanted.includes('cores'), ram: wanted.includes('ram') };
  const usages = Object.fromEntries(COUNTED.map(name => [name, { in_use: 0, reserved: 0 }])) as Usages;
  for (const { resource, a, b, c } of await counted(sql, projectId, asked, kept)) {
    const count = COUNTS.find(({ names }) => resource === `table ${names[0]}`);
    if (count)
      for (const [at, name] of count.names.entries()) usages[name].in_use = Number([a, b, c][at] ?? 0);
    else if (Object.hasOwn(usages, resource)) usages[resource as CountedResource].reserved += Number(a ?? 0);
  }
  return usages;
}

interface CountedRow {
  resource: string;
  a: unknown;
  b: unknown;
  c: unknown;
}

/** Rows and sums of the tables asked for, what is promised, and what is kept for a revert. */
const counted = prepared(
  (sql, projectId: string, asked: boolean[], kept: { cores: boolean; ram: boolean }) => {
    const promised = sql('reservations')
      .where({ ...alive, project_id: projectId })
      .where('delta', '>', 0)
      .groupBy('resource')
      .select('resource', sql.raw('sum(delta) as a'), sql.raw('null as b'), sql.raw('null as c'));
    const [first, ...others] = COUNTS.filter((_, at) => asked[at]).map(count => {
      const [b, c] = [0, 1].map(at => (count.sums[at] ? `sum(${count.sums[at]})` : 'null'));
      return count
        .rows(sql, projectId)
        .select(sql.raw(`? as resource, count(*) as a, ${b} as b, ${c} as c`, [`table ${count.names[0]}`]));
    });
    const reverts = (['cores', 'ram'] as const)
      .filter(name => kept[name])
      .map(name => keptForRevert(sql, projectId, name));
    // The grouped one must not be the first: knex writes its grouping after the last.
    return must(first, 'first is there').unionAll([...others, ...reverts, promised]) as PromiseLike<
      CountedRow[]
    >;
  },
);

const COLUMNS = { cores: 'vcpus', ram: 'memory_mb' } as const;

/** What an instance had before it was made smaller stays its tenant's until that is confirmed: it may be taken back. */
const keptForRevert = (sql: Sql, projectId: string, name: keyof typeof COLUMNS) =>
  sql('instances as i')
    .join('migrations as m', 'm.instance_uuid', 'i.uuid')
    .join('instance_types as t', 't.id', 'm.old_instance_type_id')
    .where({ 'i.deleted': 0, 'i.project_id': projectId, 'm.deleted': 0 })
    .where(query => void query.where('i.vm_state', 'resized').orWhere('i.task_state', 'resize_finish'))
    .where(query => void query.whereNull('i.task_state').orWhereNot('i.task_state', 'deleting'))
    .whereRaw('m.id = (select max(id) from migrations where instance_uuid = i.uuid and deleted = 0)')
    .whereRaw(`t.${COLUMNS[name]} > i.${COLUMNS[name]}`)
    .select(
      sql.raw(`? as resource, sum(t.${COLUMNS[name]} - i.${COLUMNS[name]}) as a, null as b, null as c`, [
        name,
      ]),
    );

/** Whether the tenant ever took something of a resource through its quota. */
export async function hasReserved(sql: Sql, projectId: string, resource: CountedResource): Promise<boolean> {
  const row = await sql('quota_usages')
    .where({ project_id: projectId, resource })
    .where('in_use', '>', 0)
    .first('id');
  return row !== undefined;
}

/** The text and numbers of a refusal. */
export interface Over {
  /** Exceeded resources, sorted by name. */
  overs: CountedResource[];
  limits: Limits;
  usages: Usages;
}

/** Which of the deltas would pass a limit; undefined when none does. Only increases are checked. */
export function exceeded(limits: Limits, usages: Usages, deltas: Deltas): Over | undefined {
  const overs = (Object.keys(deltas) as CountedResource[])
    .filter(name => {
      const delta = deltas[name] ?? 0;
      const { in_use, reserved } = usages[name];
      return limits[name] >= 0 && delta >= 0 && limits[name] < delta + in_use + reserved;
    })
    .sort();
  return overs.length === 0 ? undefined : { overs, limits, usages };
}

/** Fault `OverQuota` (413) whose values carry {@link Over}. */
export const overQuota = (over: Over) =>
  novaFault('OverQuota', { overs: over.overs.join(', '), over } as Record<string, unknown>);
