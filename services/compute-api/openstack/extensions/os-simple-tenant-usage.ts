import { type FlavorRow, flavorsByIds } from '@folsom/nova/flavors';
import { instancesActiveBetween } from '@folsom/nova/instance-usage';
import type { InstanceRow } from '@folsom/nova/instances';
import { groupBy, wireTime } from '@folsom/nova/rows';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { authorize } from '../../domain/policy.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, param } from '../http/request.ts';

const HOUR_MS = 3_600_000;

interface Period {
  start: number;
  stop: number;
}

const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?$/;

/** A time as the clients send it, in milliseconds; now when there is none. @throws 400 */
function timeOf(api: ApiRequest, name: string): number {
  const text = api.query.get(name);
  if (!text) return api.deps.clock.now();
  const [, day, time, fraction = '0'] = TIME.exec(text) ?? [];
  const ms = Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}Z`);
  if (Number.isNaN(ms)) throw badRequest(`Invalid timestamp for ${name}: ${text.slice(0, 64)}`);
  return ms;
}

function hoursIn({ start, stop }: Period, { launched_at, terminated_at }: InstanceRow): number {
  if (launched_at === null || launched_at > stop) return 0;
  if (terminated_at !== null && terminated_at < start) return 0;
  const until = terminated_at === null ? stop : Math.min(stop, terminated_at);
  return Math.max(0, until - Math.max(launched_at, start)) / HOUR_MS;
}

function serverUsage(instance: InstanceRow, flavor: FlavorRow, hours: number, now: number) {
  const { launched_at: launched, terminated_at: terminated } = instance;
  const ended = terminated ?? now;
  return {
    instance_id: instance.uuid,
    name: instance.display_name,
    hours,
    memory_mb: flavor.memory_mb,
    local_gb: flavor.root_gb + flavor.ephemeral_gb,
    vcpus: flavor.vcpus,
    tenant_id: instance.project_id,
    flavor: flavor.name,
    started_at: wireTime(launched),
    ended_at: wireTime(terminated),
    state: terminated === null ? instance.vm_state : 'terminated',
    uptime: launched === null ? 0 : Math.max(0, Math.floor((ended - launched) / 1000)),
  };
}

/** One entry a tenant; flavors that are gone cannot be billed. */
async function usages(api: ApiRequest, period: Period, tenant?: string, detailed = true) {
  const { db, clock } = api.deps;
  const instances = await instancesActiveBetween(db.knex, period.start, period.stop, tenant);
  const ids = [
    ...new Set(instances.flatMap(item => (item.instance_type_id === null ? [] : [item.instance_type_id]))),
  ];
  const flavors = await flavorsByIds(db.knex, ids);
  const billed = instances.flatMap(instance => {
    const flavor = flavors.get(instance.instance_type_id ?? -1);
    return flavor ? [serverUsage(instance, flavor, hoursIn(period, instance), clock.now())] : [];
  });
  return [...groupBy(billed, usage => usage.tenant_id)].map(([tenantId, servers]) => {
    const total = (of: (usage: (typeof servers)[number]) => number) =>
      servers.reduce((sum, usage) => sum + of(usage) * usage.hours, 0);
    return {
      tenant_id: tenantId,
      total_local_gb_usage: total(usage => usage.local_gb),
      total_vcpus_usage: total(usage => usage.vcpus),
      total_memory_mb_usage: total(usage => usage.memory_mb),
      total_hours: total(() => 1),
      start: wireTime(period.start),
      stop: wireTime(period.stop),
      ...(detailed ? { server_usages: servers } : {}),
    };
  });
}

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

const leaf = (tag: string, print?: (value: unknown) => string): XmlTemplate => ({
  tag,
  text: (datum: Record<string, unknown>) => (print ? print(datum[tag]) : (datum[tag] ?? null)),
});

const element: XmlTemplate = {
  tag: 'tenant_usage',
  children: [
    leaf('tenant_id'),
    ...['total_local_gb_usage', 'total_vcpus_usage', 'total_memory_mb_usage', 'total_hours'].map(name =>
      leaf(name, printedFloat),
    ),
    leaf('start', printedTime),
    leaf('stop', printedTime),
    {
      tag: 'server_usages',
      children: [
        {
          tag: 'server_usage',
          at: 'server_usages',
          children: [
            leaf('instance_id'),
            leaf('name'),
            leaf('hours', printedFloat),
            ...['memory_mb', 'local_gb', 'vcpus', 'tenant_id', 'flavor'].map(name => leaf(name)),
            leaf('started_at', printedTime),
            leaf('ended_at', printedTime),
            leaf('state'),
            leaf('uptime'),
          ],
        },
      ],
    },
  ],
};

/** What tenants have used in a time. */
export const extension: Extension = {
  alias: 'os-simple-tenant-usage',
  name: 'SimpleTenantUsage',
  namespace: 'http://docs.openstack.org/compute/ext/os-simple-tenant-usage/api/v1.1',
  updated: '2011-08-19T00:00:00+00:00',
  description: 'Simple tenant usage extension',
  resources: [
    {
      path: 'os-simple-tenant-usage',
      index: {
        xml: { tag: 'tenant_usages', children: [{ ...element, at: 'tenant_usages' }] },
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'simple_tenant_usage:list');
          const start = timeOf(api, 'start');
          const stop = Math.min(timeOf(api, 'end'), api.deps.clock.now());
          const detailed = api.query.get('detailed') === '1';
          return ok({ tenant_usages: await usages(api, { start, stop }, undefined, detailed) });
        },
      },
      show: {
        xml: { ...element, at: 'tenant_usage' },
        handle: async api => {
          const tenant = param(api, 'id');
          authorize(api.deps, api.context, 'compute_extension:simple_tenant_usage:show', {
            project_id: tenant,
          });
          const start = timeOf(api, 'start');
          const stop = Math.min(timeOf(api, 'end'), api.deps.clock.now());
          const [usage = {}] = await usages(api, { start, stop }, tenant);
          return ok({ tenant_usage: usage });
        },
      },
    },
  ],
};
