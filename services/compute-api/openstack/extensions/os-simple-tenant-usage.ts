import { children, many, one, type Parts, textElement, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { ServerUsage, TenantUsage } from '../../domain/usage.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { readBy } from '../http/shapes.ts';

const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?$/;

/** A time as the clients send it, in milliseconds; undefined, which is now, for an empty one. */
const time = (name: string) =>
  Type.Optional(
    readBy((value): number | undefined => {
      if (typeof value !== 'string' || value === '') return undefined;
      const [, day, clock, fraction = '0'] = TIME.exec(value) ?? [];
      const ms = Date.parse(`${day}T${clock}.${fraction.padEnd(3, '0').slice(0, 3)}Z`);
      if (Number.isNaN(ms)) throw badRequest(`Invalid timestamp for ${name}: ${value.slice(0, 64)}`);
      return ms;
    }),
  );

const query = Type.Object({
  start: time('start'),
  end: time('end'),
  detailed: Type.Optional(Type.String()),
});

/** A float as Python 2 prints it: twelve digits, exponents of two. */
export const printedFloat = (value: unknown): string => {
  if (typeof value !== 'number') return String(value);
  const text = String(Number(value.toPrecision(12)));
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
};

/** `2012-09-27 10:00:00`, with the fraction only where there is one. */
const printedTime = (value: unknown): string =>
  value === null
    ? 'None'
    : String(value)
        .replace('T', ' ')
        .replace(/\.000000$/, '');

/** Elements that are there whatever is known: of a tenant that used nothing, nothing is. */
const leaves = <Thing>(
  names: readonly (keyof Thing & string)[],
  print?: (value: unknown) => string,
): Parts<[Thing]> =>
  Object.fromEntries(
    names.map(name => [name, textElement((thing: Thing) => thing[name], { always: true, print })]),
  );

const server = view<[ServerUsage]>('server_usage', {
  ...leaves<ServerUsage>(['instance_id', 'name']),
  ...leaves<ServerUsage>(['hours'], printedFloat),
  ...leaves<ServerUsage>(['memory_mb', 'local_gb', 'vcpus', 'tenant_id', 'flavor']),
  ...leaves<ServerUsage>(['started_at', 'ended_at'], printedTime),
  ...leaves<ServerUsage>(['state', 'uptime']),
});
const tenant = view<[Partial<TenantUsage>]>('tenant_usage', {
  ...leaves<Partial<TenantUsage>>(['tenant_id']),
  ...leaves<Partial<TenantUsage>>(
    ['total_local_gb_usage', 'total_vcpus_usage', 'total_memory_mb_usage', 'total_hours'],
    printedFloat,
  ),
  ...leaves<Partial<TenantUsage>>(['start', 'stop'], printedTime),
  server_usages: children(server, usage => usage.server_usages),
});
const shown = one(tenant);
const listed = many(tenant);

/** What tenants have used in a time. */
export const extension: Extension = {
  alias: 'os-simple-tenant-usage',
  name: 'SimpleTenantUsage',
  namespace: 'http://docs.openstack.org/compute/ext/os-simple-tenant-usage/api/v1.1',
  updated: '2011-08-19T00:00:00+00:00',
  description: 'Simple tenant usage extension',
  resources: ['/os-simple-tenant-usage'],
  operations: [
    operation({
      name: 'ListTenantUsage',
      about: 'What each tenant used; `detailed=1` with their servers.',
      method: 'GET',
      path: '/os-simple-tenant-usage',
      policy: 'compute_extension:simple_tenant_usage:list',
      query,
      answers: 200,
      view: listed,
      run: async ({ domain, context, query: { start, end, detailed } }) =>
        listed.json(await domain.usage.ofTenants(context, { start, stop: end }, detailed === '1')),
    }),
    operation({
      name: 'ShowTenantUsage',
      about: 'What one tenant used: its own members and administrators may know.',
      method: 'GET',
      path: '/os-simple-tenant-usage/:id',
      policy: null,
      query,
      answers: 200,
      view: shown,
      run: async ({ domain, context, params, query: { start, end } }) =>
        shown.json((await domain.usage.ofTenant(context, { start, stop: end }, params.id)) ?? {}),
    }),
  ],
};
