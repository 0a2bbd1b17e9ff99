import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import Type from 'typebox';
import type { Aggregate } from '../../domain/aggregates.ts';
import type { Domain } from '../../domain/index.ts';
import { rowId, wireBase } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { NAME_CHARS_MAX, name, readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:aggregates';

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

function idOf(text: string): number {
  const id = rowId(text);
  if (id === undefined) throw notFound();
  return id;
}

const only = { additionalProperties: false } as const;

const added = Type.Object(
  { aggregate: Type.Object({ name: name(), availability_zone: name() }, only) },
  only,
);
const changed = Type.Object(
  {
    aggregate: Type.Object(
      { name: Type.Optional(name()), availability_zone: Type.Optional(name()) },
      { ...only, minProperties: 1 },
    ),
  },
  only,
);

type Change = (domain: Domain, context: RequestContext, id: number) => Promise<Aggregate>;

/** `{"host": "name"}` and nothing else. */
function hostIn(value: unknown): string {
  const host = isObject(value) && Object.keys(value).length === 1 ? value.host : undefined;
  if (typeof host !== 'string' || host.length > NAME_CHARS_MAX) throw badRequest();
  return host;
}

function metadataIn(value: unknown): Record<string, string | null> {
  const metadata = isObject(value) && Object.keys(value).length === 1 ? value.metadata : undefined;
  if (!isObject(metadata)) throw badRequest();
  return Object.fromEntries(
    Object.entries(metadata).map(([key, item]) => {
      if (key.length > NAME_CHARS_MAX) throw badRequest();
      if (item !== null && (typeof item !== 'string' || item.length > NAME_CHARS_MAX)) throw badRequest();
      return [key, item];
    }),
  );
}

const CHANGES: Readonly<Record<string, (value: unknown) => Change>> = {
  add_host: value => {
    const host = hostIn(value);
    return (domain, context, id) => domain.aggregates.addHost(context, id, host);
  },
  remove_host: value => {
    const host = hostIn(value);
    return (domain, context, id) => domain.aggregates.removeHost(context, id, host);
  },
  set_metadata: value => {
    const metadata = metadataIn(value);
    return (domain, context, id) => domain.aggregates.setMetadata(context, id, metadata);
  },
};

/** One action by the first key of the body, with words of its own for what is none. */
const change = readBy((body): Change => {
  const [action, value] = isObject(body) ? (Object.entries(body)[0] ?? []) : [];
  if (action === undefined) throw badRequest('Invalid request body');
  if (!Object.hasOwn(CHANGES, action)) throw badRequest(`Aggregates does not have ${action} action`);
  return must(CHANGES[action], 'action is in CHANGES')(value);
}, '`add_host`, `remove_host` or `set_metadata` with what it takes.');

/** Groups of hosts with metadata; for administrators. */
export const extension: Extension = {
  alias: 'os-aggregates',
  name: 'Aggregates',
  namespace: 'http://docs.openstack.org/compute/ext/aggregates/api/v1.1',
  updated: '2012-01-12T00:00:00+00:00',
  description: 'Admin-only aggregate administration',
  resources: ['/os-aggregates'],
  operations: [
    operation({
      name: 'ListAggregates',
      about: 'All aggregates.',
      method: 'GET',
      path: '/os-aggregates',
      policy,
      answers: 200,
      run: async ({ domain, context }) => ({ aggregates: (await domain.aggregates.list(context)).map(full) }),
    }),
    operation({
      name: 'CreateAggregate',
      about: 'Makes an aggregate of hosts in an availability zone.',
      method: 'POST',
      path: '/os-aggregates',
      policy,
      body: added,
      answers: 200,
      faults: { AggregateNameExists: 409 },
      throws: ['InvalidAggregateAction'],
      run: async ({ domain, context, body: { aggregate } }) => ({
        aggregate: base(await domain.aggregates.create(context, aggregate.name, aggregate.availability_zone)),
      }),
    }),
    operation({
      name: 'ShowAggregate',
      about: 'An aggregate with its hosts and metadata.',
      method: 'GET',
      path: '/os-aggregates/:id',
      policy,
      answers: 200,
      throws: ['AggregateNotFound'],
      run: async ({ domain, context, params }) => ({
        aggregate: full(await domain.aggregates.get(context, idOf(params.id))),
      }),
    }),
    operation({
      name: 'UpdateAggregate',
      about: 'Changes the name or the zone of an aggregate.',
      method: 'PUT',
      path: '/os-aggregates/:id',
      policy,
      body: changed,
      answers: 200,
      throws: ['AggregateNotFound', 'AggregateNameExists'],
      run: async ({ domain, context, params, body }) => ({
        aggregate: full(await domain.aggregates.change(context, idOf(params.id), body.aggregate)),
      }),
    }),
    operation({
      name: 'DeleteAggregate',
      about: 'Deletes an aggregate.',
      method: 'DELETE',
      path: '/os-aggregates/:id',
      policy,
      answers: 200,
      throws: ['AggregateNotFound', 'InvalidAggregateAction'],
      run: async ({ domain, context, params }) => {
        await domain.aggregates.delete(context, idOf(params.id));
        return answer({});
      },
    }),
    operation({
      name: 'ChangeAggregate',
      about: 'Adds or removes a host, or sets metadata.',
      method: 'POST',
      path: '/os-aggregates/:id/action',
      policy,
      body: change,
      answers: 200,
      faults: {
        ComputeHostNotFound: 404,
        AggregateHostExists: 409,
        InvalidAggregateAction: 409,
      },
      throws: ['AggregateNotFound', 'AggregateHostNotFound'],
      run: async ({ domain, context, params, body }) => ({
        aggregate: full(await body(domain, context, idOf(params.id))),
      }),
    }),
  ],
};
