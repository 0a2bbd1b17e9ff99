import type { Knex } from '@folsom/db';
import { fault } from '../faults.ts';
import { type Extra, readExtra, writeExtra } from './stored-json.ts';

export interface Service {
  id: string;
  type: string | null;
  extra: Extra;
}

export interface Endpoint {
  id: string;
  region: string | null;
  serviceId: string;
  extra: Extra;
}

interface ServiceRow {
  id: string;
  type: string | null;
  extra: string | null;
}

interface EndpointRow {
  id: string;
  region: string | null;
  service_id: string;
  extra: string | null;
}

const serviceFrom = (row: ServiceRow): Service => ({
  id: row.id,
  type: row.type,
  extra: readExtra(row.extra),
});

const endpointFrom = (row: EndpointRow): Endpoint => ({
  id: row.id,
  region: row.region,
  serviceId: row.service_id,
  extra: readExtra(row.extra),
});

export const serviceView = (service: Service): Record<string, unknown> => ({
  ...service.extra,
  id: service.id,
  type: service.type,
});

export const endpointView = (endpoint: Endpoint): Record<string, unknown> => ({
  ...endpoint.extra,
  id: endpoint.id,
  region: endpoint.region,
  service_id: endpoint.serviceId,
});

export async function listServices(knex: Knex): Promise<Service[]> {
  return (await knex<ServiceRow>('service').select()).map(serviceFrom);
}

export async function getService(knex: Knex, id: string): Promise<Service> {
  const row = await knex<ServiceRow>('service').where({ id }).first();
  if (!row) throw fault('ServiceNotFound', { service_id: id });
  return serviceFrom(row);
}

export async function createService(knex: Knex, service: Service): Promise<void> {
  await knex('service').insert({ id: service.id, type: service.type, extra: writeExtra(service.extra) });
}

/** With its endpoints: one that points to no service would be in nobody's catalog. */
export async function deleteService(trx: Knex, id: string): Promise<void> {
  await trx('endpoint').where({ service_id: id }).delete();
  if (!(await trx('service').where({ id }).delete())) throw fault('ServiceNotFound', { service_id: id });
}

export async function listEndpoints(knex: Knex): Promise<Endpoint[]> {
  return (await knex<EndpointRow>('endpoint').select()).map(endpointFrom);
}

export async function createEndpoint(trx: Knex, endpoint: Endpoint): Promise<void> {
  await getService(trx, endpoint.serviceId);
  await trx('endpoint').insert({
    id: endpoint.id,
    region: endpoint.region,
    service_id: endpoint.serviceId,
    extra: writeExtra(endpoint.extra),
  });
}

export async function deleteEndpoint(knex: Knex, id: string): Promise<void> {
  if (!(await knex('endpoint').where({ id }).delete())) throw fault('EndpointNotFound', { endpoint_id: id });
}
