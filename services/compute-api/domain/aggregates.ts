import type { RequestContext } from '@folsom/core';
import {
  type Aggregate,
  addAggregateHost,
  aggregateById,
  createAggregate,
  deleteAggregate,
  listAggregates,
  removeAggregateHost,
  updateAggregate,
  updateAggregateMetadata,
} from '@folsom/nova/aggregates';
import { novaFault } from '@folsom/nova/faults';
import { listServices } from '@folsom/nova/services';
import type { Deps } from './deps.ts';

export type { Aggregate };

export const allAggregates = (deps: Deps, _context: RequestContext): Promise<Aggregate[]> =>
  listAggregates(deps.db.knex);

/** @throws Fault `AggregateNotFound` */
export const getAggregate = (deps: Deps, _context: RequestContext, id: number): Promise<Aggregate> =>
  aggregateById(deps.db.knex, id);

const refused = (action: string, id: number | string, reason: string) =>
  novaFault('InvalidAggregateAction', { action, aggregate_id: id, reason });

/** Zones are those of the enabled services. @throws Fault `InvalidAggregateAction`, `AggregateNameExists` */
export async function addAggregate(
  deps: Deps,
  _context: RequestContext,
  name: string,
  zone: string,
): Promise<Aggregate> {
  const services = await listServices(deps.db.knex, { disabled: false });
  if (!services.some(service => service.availability_zone === zone)) {
    throw refused('create_aggregate', "'N/A'", 'invalid zone');
  }
  return deps.db.transaction(trx => createAggregate(trx, name, zone, deps.clock.now()));
}

/** @throws Fault `AggregateNotFound` */
export async function changeAggregate(
  deps: Deps,
  _context: RequestContext,
  id: number,
  changes: { name?: string; availability_zone?: string },
): Promise<Aggregate> {
  await updateAggregate(deps.db.knex, id, changes, deps.clock.now());
  return aggregateById(deps.db.knex, id);
}

/** @throws Fault `AggregateNotFound`, `InvalidAggregateAction` while it has hosts */
export async function removeAggregate(deps: Deps, _context: RequestContext, id: number): Promise<void> {
  const aggregate = await aggregateById(deps.db.knex, id);
  if (aggregate.hosts.length > 0) throw refused('delete', id, 'not empty');
  await deleteAggregate(deps.db.knex, id, deps.clock.now());
}

/**
 * Puts a host into an aggregate of its zone and tells it.
 *
 * @throws Fault `AggregateNotFound`, `ComputeHostNotFound`, `InvalidAggregateAction`, `AggregateHostExists`
 */
export async function addHostToAggregate(
  deps: Deps,
  context: RequestContext,
  id: number,
  host: string,
): Promise<Aggregate> {
  const { knex } = deps.db;
  const aggregate = await aggregateById(knex, id);
  const [service] = await listServices(knex, { host, topic: 'compute' });
  if (!service) throw novaFault('ComputeHostNotFound', { host });
  if (service.availability_zone !== aggregate.availability_zone) {
    throw refused('add_host', id, 'availability zone mismatch');
  }
  await deps.db.transaction(trx => addAggregateHost(trx, id, host, deps.clock.now()));
  await deps.compute.add_aggregate_host(context, { aggregate_id: id, host, slave_info: null }, { host });
  return aggregateById(knex, id);
}

/** @throws Fault `AggregateNotFound`, `AggregateHostNotFound` */
export async function removeHostFromAggregate(
  deps: Deps,
  context: RequestContext,
  id: number,
  host: string,
): Promise<Aggregate> {
  const { knex } = deps.db;
  await aggregateById(knex, id);
  await removeAggregateHost(knex, id, host, deps.clock.now());
  await deps.compute.remove_aggregate_host(context, { aggregate_id: id, host, slave_info: null }, { host });
  return aggregateById(knex, id);
}

/** Sets keys and leaves the others; null removes its key. @throws Fault `AggregateNotFound` */
export async function setAggregateMetadata(
  deps: Deps,
  _context: RequestContext,
  id: number,
  metadata: Record<string, string | null>,
): Promise<Aggregate> {
  await aggregateById(deps.db.knex, id);
  await deps.db.transaction(trx => updateAggregateMetadata(trx, id, metadata, deps.clock.now()));
  return aggregateById(deps.db.knex, id);
}
