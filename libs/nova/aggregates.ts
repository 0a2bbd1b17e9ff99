import { type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, groupBy, type RowBase, type Sql } from './rows.ts';

/** A row of `aggregates` with its hosts and metadata. */
export interface Aggregate extends RowBase {
  id: number;
  name: string;
  availability_zone: string;
  hosts: string[];
  metadata: Record<string, string>;
}

const spec = columns();
type Raw = RowOf<'aggregates'>;

export async function listAggregates(sql: Sql): Promise<Aggregate[]> {
  return complete(sql, await sql('aggregates').where(alive).orderBy('id'));
}

/** @throws Fault `AggregateNotFound` */
export async function aggregateById(sql: Sql, id: number): Promise<Aggregate> {
  const [aggregate] = await complete(sql, await sql('aggregates').where({ ...alive, id }));
  if (!aggregate) throw novaFault('AggregateNotFound', { aggregate_id: id });
  return aggregate;
}

async function complete(sql: Sql, raws: Raw[]): Promise<Aggregate[]> {
  if (raws.length === 0) return [];
  const ids = raws.map(raw => raw.id);
  const hosts = groupBy(
    (await sql('aggregate_hosts').where(alive).whereIn('aggregate_id', ids).orderBy('id')) as {
      aggregate_id: number;
      host: string;
    }[],
    row => row.aggregate_id,
  );
  const metadata = groupBy(
    (await sql('aggregate_metadata').where(alive).whereIn('aggregate_id', ids).orderBy('id')) as {
      aggregate_id: number;
      key: string;
      value: string;
    }[],
    row => row.aggregate_id,
  );
  return raws.map(raw => {
    const row = fromRow<Omit<Aggregate, 'hosts' | 'metadata'>>(spec, raw);
    return Object.assign(row, {
      hosts: (hosts.get(row.id) ?? []).map(item => item.host),
      metadata: Object.fromEntries((metadata.get(row.id) ?? []).map(item => [item.key, item.value])),
    });
  });
}

/** @throws Fault `AggregateNameExists` */
export async function createAggregate(sql: Sql, name: string, zone: string, now: number): Promise<Aggregate> {
  if (
    await sql('aggregates')
      .where({ ...alive, name })
      .first('id')
  ) {
    throw novaFault('AggregateNameExists', { aggregate_name: name });
  }
  const [id] = await sql('aggregates').insert({
    name,
    availability_zone: zone,
    deleted: 0,
    created_at: toSqlTime(now),
  });
  return aggregateById(sql, id as number);
}

/** @throws Fault `AggregateNotFound` */
export async function updateAggregate(
  sql: Sql,
  id: number,
  changes: { name?: string; availability_zone?: string },
  now: number,
): Promise<void> {
  const changed = await sql('aggregates')
    .where({ ...alive, id })
    .update({ ...changes, updated_at: toSqlTime(now) });
  if (!changed) throw novaFault('AggregateNotFound', { aggregate_id: id });
}

export async function deleteAggregate(sql: Sql, id: number, now: number): Promise<void> {
  await sql('aggregates').where({ id }).update(deletion(now));
  await sql('aggregate_metadata').where({ aggregate_id: id }).update(deletion(now));
}

/** @throws Fault `AggregateHostExists` */
export async function addAggregateHost(sql: Sql, id: number, host: string, now: number): Promise<void> {
  if (
    await sql('aggregate_hosts')
      .where({ ...alive, aggregate_id: id, host })
      .first('id')
  ) {
    throw novaFault('AggregateHostExists', { aggregate_id: id, host });
  }
  await sql('aggregate_hosts').insert({ aggregate_id: id, host, deleted: 0, created_at: toSqlTime(now) });
}

/** @throws Fault `AggregateHostNotFound` */
export async function removeAggregateHost(sql: Sql, id: number, host: string, now: number): Promise<void> {
  const removed = await sql('aggregate_hosts')
    .where({ ...alive, aggregate_id: id, host })
    .update(deletion(now));
  if (!removed) throw novaFault('AggregateHostNotFound', { aggregate_id: id, host });
}

/** Sets keys and leaves the others; an empty or null value removes its key. */
export async function updateAggregateMetadata(
  sql: Sql,
  id: number,
  metadata: Record<string, string | null>,
  now: number,
): Promise<void> {
  for (const [key, value] of Object.entries(metadata)) {
    const at = sql('aggregate_metadata').where({ ...alive, aggregate_id: id, key });
    if (value === null || value === '') {
      await at.update(deletion(now));
    } else if (!(await at.update({ value, updated_at: toSqlTime(now) }))) {
      await sql('aggregate_metadata').insert({
        aggregate_id: id,
        key,
        value,
        deleted: 0,
        created_at: toSqlTime(now),
      });
    }
  }
}
