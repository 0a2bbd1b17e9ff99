import { computeNodeByHost } from '@folsom/nova/compute-nodes';
import { type InstanceRow, instancesOnHost } from '@folsom/nova/instances';
import { groupBy } from '@folsom/nova/rows';
import { listServices } from '@folsom/nova/services';
import { type Answer, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, forbidden, notFound, translating, unexpectedAnswer } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, param } from '../http/request.ts';
import type { RoutedOperation } from '../http/resource.ts';

const check = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'hosts');

/** @throws 404 unless some daemon runs there */
async function hostOf(api: ApiRequest): Promise<string> {
  const host = param(api, 'id');
  const services = await listServices(api.deps.db.knex, { host });
  if (services.length === 0) throw notFound(`Host '${host}' could not be found.`);
  return host;
}

const FIELDS = ['host', 'project', 'cpu', 'memory_mb', 'disk_gb'] as const;
interface HostUse {
  host: string;
  project: string;
  cpu: number;
  memory_mb: number;
  disk_gb: number;
}

const useOf = (host: string, project: string, instances: readonly InstanceRow[]): HostUse => ({
  host,
  project,
  cpu: sum(instances, instance => instance.vcpus ?? 0),
  memory_mb: sum(instances, instance => instance.memory_mb ?? 0),
  disk_gb: sum(instances, instance => (instance.root_gb ?? 0) + (instance.ephemeral_gb ?? 0)),
});

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

async function describe(api: ApiRequest): Promise<Answer> {
  if (!api.context.isAdmin) throw forbidden('Describe-resource is admin only functionality');
  const { knex } = api.deps.db;
  const host = param(api, 'id');
  const node = await translating({ ComputeHostNotFound: () => notFound('Host not found') }, () =>
    computeNodeByHost(knex, host),
  );
  const instances = await instancesOnHost(knex, host);
  const uses: HostUse[] = [
    { host, project: '(total)', cpu: node.vcpus, memory_mb: node.memory_mb, disk_gb: node.local_gb },
    {
      host,
      project: '(used_now)',
      cpu: node.vcpus_used,
      memory_mb: node.memory_mb_used,
      disk_gb: node.local_gb_used,
    },
    useOf(host, '(used_max)', instances),
  ];
  for (const [project, own] of groupBy(instances, instance => instance.project_id)) {
    uses.push(useOf(host, project ?? '', own));
  }
  return ok({ host: uses.map(resource => ({ resource })) });
}

type Setting = 'status' | 'maintenance_mode';

/** Reads `{"status": "enable"}` and its like. @throws 400 for anything else */
function settingsOf(body: unknown): Map<Setting, boolean> {
  if (!isObject(body)) throw badRequest();
  const out = new Map<Setting, boolean>();
  for (const [rawKey, rawValue] of Object.entries(body)) {
    const key = rawKey.toLowerCase().trim();
    if (typeof rawValue !== 'string') throw badRequest();
    const value = rawValue.toLowerCase().trim();
    if (key !== 'status' && key !== 'maintenance_mode')
      throw badRequest(`Invalid update setting: '${rawKey}'`);
    if (value !== 'enable' && value !== 'disable') {
      throw badRequest(`Invalid ${key === 'status' ? 'status' : 'mode'}: '${rawValue}'`);
    }
    out.set(key, value === 'enable');
  }
  return out;
}

async function update(api: ApiRequest): Promise<Answer> {
  const host = await hostOf(api);
  check(api);
  const view: Record<string, unknown> = {};
  for (const [setting, on] of settingsOf(api.body)) {
    const result =
      setting === 'status'
        ? await api.deps.compute.set_host_enabled(api.context, { enabled: on }, { host })
        : await api.deps.compute.host_maintenance_mode(api.context, { host, mode: on }, { host });
    const good = setting === 'status' ? ['enabled', 'disabled'] : ['on_maintenance', 'off_maintenance'];
    if (result === null || !good.includes(result)) throw unexpectedAnswer(result);
    Object.assign(view, { host, [setting]: result });
  }
  return ok(view);
}

const power = (action: string): RoutedOperation => ({
  method: 'GET',
  xml: { tag: 'host', attributes: { host: 'host', power_action: 'power_action' } },
  handle: async api => {
    check(api);
    // A host that nobody knows would not answer before the time for an answer is up.
    const host = await hostOf(api);
    const result = await translating({ NotImplementedError: error => badRequest(error.message) }, () =>
      api.deps.compute.host_power_action(api.context, { action }, { host }),
    );
    return ok({ host, power_action: result ?? null });
  },
});

/** Hosts and their daemons; for administrators. */
export const extension: Extension = {
  alias: 'os-hosts',
  name: 'Hosts',
  namespace: 'http://docs.openstack.org/compute/ext/hosts/api/v1.1',
  updated: '2011-06-29T00:00:00+00:00',
  description: 'Admin-only host administration',
  resources: [
    {
      path: 'os-hosts',
      index: {
        // The original's XML shows one empty element, whatever hosts there are.
        xml: { tag: 'hosts', children: [{ tag: 'host' }] },
        handle: async api => {
          check(api);
          const services = await listServices(api.deps.db.knex, { disabled: false });
          return ok({ hosts: services.map(({ host, topic }) => ({ host_name: host, service: topic })) });
        },
      },
      show: {
        xml: {
          tag: 'host',
          children: [
            {
              tag: 'resource',
              at: (view: { host: { resource: HostUse }[] }) => view.host.map(item => item.resource),
              children: FIELDS.map(name => ({ tag: name, at: name, text: '' })),
            },
          ],
        },
        handle: describe,
      },
      update: {
        xml: {
          tag: 'host',
          attributes: { host: 'host', status: 'status', maintenance_mode: 'maintenance_mode' },
        },
        readXml: root => Object.fromEntries(root.children.map(item => [item.name, item.text])),
        handle: update,
      },
      member: { startup: power('startup'), shutdown: power('shutdown'), reboot: power('reboot') },
    },
  ],
};
