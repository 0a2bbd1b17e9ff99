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
import { wireBase } from '@folsom/nova/rows';
import { listServices } from '@folsom/nova/services';
import { type Answer, nothing, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflict, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, type JsonObject, NAME_CHARS_MAX, param, rowId } from '../http/request.ts';

const check = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'aggregates');

const base = (aggregate: Aggregate) => ({
  ...wireBase(aggregate),
  id: aggregate.id,
  name: aggregate.name,
  availability_zone: aggregate.availability_zone,
});
const full = (aggregate: Aggregate) => ({
  ...base(aggregate),
  hosts: aggregate.hosts,
  metadata: aggregate.metadata,
});

/** @throws 404 */
async function aggregateOf(api: ApiRequest): Promise<Aggregate> {
  const id = rowId(param(api, 'id'));
  if (id === undefined) throw notFound();
  return translating({ AggregateNotFound: () => notFound() }, () => aggregateById(api.deps.db.knex, id));
}

/** The one entity of the body. @throws 400 */
function onlyEntity(body: unknown): JsonObject {
  const entity = isObject(body) && Object.keys(body).length === 1 ? body.aggregate : undefined;
  if (!isObject(entity)) throw badRequest();
  return entity;
}

const textOf = (value: unknown): string => {
  if (typeof value !== 'string' || value.length > NAME_CHARS_MAX) throw badRequest();
  return value;
};

/** Zones are those of the enabled services. @throws 400 */
async function checkZone(api: ApiRequest, zone: string, action: string, aggregate: string): Promise<void> {
  const services = await listServices(api.deps.db.knex, { disabled: false });
  if (services.some(service => service.availability_zone === zone)) return;
  throw novaFault('InvalidAggregateAction', { action, aggregate_id: aggregate, reason: 'invalid zone' });
}

async function create(api: ApiRequest): Promise<Answer> {
  check(api);
  const entity = onlyEntity(api.body);
  if (Object.keys(entity).length !== 2) throw badRequest();
  const name = textOf(entity.name);
  const zone = textOf(entity.availability_zone);
  await checkZone(api, zone, 'create_aggregate', "'N/A'");
  const { db, clock } = api.deps;
  const aggregate = await translating({ AggregateNameExists: () => conflict() }, () =>
    db.transaction(trx => createAggregate(trx, name, zone, clock.now())),
  );
  return ok({ aggregate: base(aggregate) });
}

async function update(api: ApiRequest): Promise<Answer> {
  check(api);
  const entity = onlyEntity(api.body);
  const keys = Object.keys(entity);
  if (keys.length === 0 || keys.some(key => key !== 'name' && key !== 'availability_zone'))
    throw badRequest();
  const { id } = await aggregateOf(api);
  const changes: { name?: string; availability_zone?: string } = {};
  if (entity.name !== undefined) changes.name = textOf(entity.name);
  if (entity.availability_zone !== undefined) changes.availability_zone = textOf(entity.availability_zone);
  const { db, clock } = api.deps;
  await translating({ AggregateNotFound: () => notFound() }, () =>
    updateAggregate(db.knex, id, changes, clock.now()),
  );
  return ok({ aggregate: full(await aggregateById(db.knex, id)) });
}

/** `{"host": "name"}` and nothing else. @throws 400 */
function hostIn(value: unknown): string {
  if (!isObject(value) || Object.keys(value).length !== 1) throw badRequest();
  return textOf(value.host);
}

const invalid = (action: string, id: number, reason: string) =>
  novaFault('InvalidAggregateAction', { action, aggregate_id: id, reason });

type Change = (api: ApiRequest, aggregate: Aggregate, value: unknown) => Promise<void>;

const ACTIONS: Readonly<Record<string, Change>> = {
  add_host: async (api, aggregate, value) => {
    const host = hostIn(value);
    const { db, clock, compute } = api.deps;
    const [service] = await listServices(db.knex, { host, topic: 'compute' });
    if (!service) throw notFound();
    await translating(
      { AggregateHostExists: () => conflict(), InvalidAggregateAction: () => conflict() },
      async () => {
        if (service.availability_zone !== aggregate.availability_zone) {
          throw invalid('add_host', aggregate.id, 'availability zone mismatch');
        }
        await db.transaction(trx => addAggregateHost(trx, aggregate.id, host, clock.now()));
      },
    );
    await compute.add_aggregate_host(
      api.context,
      { aggregate_id: aggregate.id, host, slave_info: null },
      { host },
    );
  },
  remove_host: async (api, aggregate, value) => {
    const host = hostIn(value);
    const { db, clock, compute } = api.deps;
    await translating({ AggregateHostNotFound: () => notFound() }, () =>
      removeAggregateHost(db.knex, aggregate.id, host, clock.now()),
    );
    await compute.remove_aggregate_host(
      api.context,
      { aggregate_id: aggregate.id, host, slave_info: null },
      { host },
    );
  },
  set_metadata: async (api, aggregate, value) => {
    const metadata = isObject(value) && Object.keys(value).length === 1 ? value.metadata : undefined;
    if (!isObject(metadata)) throw badRequest();
    const entries = Object.entries(metadata).map(([key, item]) => {
      if (key.length > NAME_CHARS_MAX) throw badRequest();
      return [key, item === null ? null : textOf(item)] as const;
    });
    const { db, clock } = api.deps;
    await db.transaction(trx =>
      updateAggregateMetadata(trx, aggregate.id, Object.fromEntries(entries), clock.now()),
    );
  },
};

async function act(api: ApiRequest): Promise<Answer> {
  check(api);
  const [action, value] = isObject(api.body) ? (Object.entries(api.body)[0] ?? []) : [];
  if (action === undefined) throw badRequest('Invalid request body');
  if (!Object.hasOwn(ACTIONS, action)) throw badRequest(`Aggregates does not have ${action} action`);
  const aggregate = await aggregateOf(api);
  await ACTIONS[action]!(api, aggregate, value);
  return ok({ aggregate: full(await aggregateById(api.deps.db.knex, aggregate.id)) });
}

/** Groups of hosts with metadata; for administrators. */
export const extension: Extension = {
  alias: 'os-aggregates',
  name: 'Aggregates',
  namespace: 'http://docs.openstack.org/compute/ext/aggregates/api/v1.1',
  updated: '2012-01-12T00:00:00+00:00',
  description: 'Admin-only aggregate administration',
  resources: [
    {
      path: 'os-aggregates',
      index: {
        handle: async api => {
          check(api);
          return ok({ aggregates: (await listAggregates(api.deps.db.knex)).map(full) });
        },
      },
      create: { handle: create },
      show: {
        handle: async api => {
          check(api);
          return ok({ aggregate: full(await aggregateOf(api)) });
        },
      },
      update: { handle: update },
      delete: {
        handle: async api => {
          check(api);
          const aggregate = await aggregateOf(api);
          if (aggregate.hosts.length > 0) throw invalid('delete', aggregate.id, 'not empty');
          await deleteAggregate(api.deps.db.knex, aggregate.id, api.deps.clock.now());
          return nothing(200);
        },
      },
      member: { action: { method: 'POST', handle: act } },
    },
  ],
};
