import {
  type ComputeNode,
  computeNodeById,
  computeNodeStatistics,
  listComputeNodes,
  searchComputeNodes,
} from '@folsom/nova/compute-nodes';
import { instanceName } from '@folsom/nova/instance-records';
import { instancesOnHosts } from '@folsom/nova/instance-usage';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, notImplemented, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, param, rowId } from '../http/request.ts';

const DETAILS = [
  'vcpus',
  'memory_mb',
  'local_gb',
  'vcpus_used',
  'memory_mb_used',
  'local_gb_used',
  'hypervisor_type',
  'hypervisor_version',
  'free_ram_mb',
  'free_disk_gb',
  'current_workload',
  'running_vms',
  'cpu_info',
  'disk_available_least',
] as const;

const summary = (node: ComputeNode) => ({ id: node.id, hypervisor_hostname: node.hypervisor_hostname });

const detail = (node: ComputeNode) => ({
  ...summary(node),
  ...Object.fromEntries(DETAILS.map(name => [name, node[name] ?? null])),
  service: { id: node.service_id, host: node.service?.host ?? null },
});

const attributes = (names: readonly string[]) => Object.fromEntries(names.map(name => [name, name]));
const NAMES = attributes(['id', 'hypervisor_hostname']);
const element: XmlTemplate = { tag: 'hypervisor', attributes: NAMES };
const detailed: XmlTemplate = {
  tag: 'hypervisor',
  attributes: { ...NAMES, ...attributes(DETAILS) },
  children: [{ tag: 'service', at: 'service', attributes: attributes(['id', 'host']) }],
};
const listOf = (item: XmlTemplate): XmlTemplate => ({
  tag: 'hypervisors',
  children: [{ ...item, at: 'hypervisors' }],
});

async function nodeOf(api: ApiRequest): Promise<ComputeNode> {
  const text = param(api, 'id');
  const missing = () => notFound(`Hypervisor with ID '${text}' could not be found.`);
  const id = rowId(text);
  if (id === undefined) throw missing();
  return translating({ ComputeHostNotFound: missing }, () => computeNodeById(api.deps.db.knex, id));
}

async function matching(api: ApiRequest): Promise<ComputeNode[]> {
  const text = param(api, 'id');
  const nodes = await searchComputeNodes(api.deps.db.knex, text);
  if (nodes.length === 0) throw notFound(`No hypervisor matching '${text}' could be found.`);
  return nodes;
}

const check = (api: ApiRequest) => authorizeExtension(api.deps, api.context, 'hypervisors');

/** What the hosts offer and how much of it is used; for administrators. */
export const extension: Extension = {
  alias: 'os-hypervisors',
  name: 'Hypervisors',
  namespace: 'http://docs.openstack.org/compute/ext/hypervisors/api/v1.1',
  updated: '2012-06-21T00:00:00+00:00',
  description: 'Admin-only hypervisor administration',
  resources: [
    {
      path: 'os-hypervisors',
      index: {
        xml: listOf(element),
        handle: async api => {
          check(api);
          return ok({ hypervisors: (await listComputeNodes(api.deps.db.knex)).map(summary) });
        },
      },
      show: {
        xml: { ...detailed, at: 'hypervisor' },
        handle: async api => {
          check(api);
          return ok({ hypervisor: detail(await nodeOf(api)) });
        },
      },
      collection: {
        detail: {
          method: 'GET',
          xml: listOf(detailed),
          handle: async api => {
            check(api);
            return ok({ hypervisors: (await listComputeNodes(api.deps.db.knex)).map(detail) });
          },
        },
        statistics: {
          method: 'GET',
          xml: {
            tag: 'hypervisor_statistics',
            at: 'hypervisor_statistics',
            attributes: attributes([
              'count',
              ...DETAILS.filter(
                name => !['hypervisor_type', 'hypervisor_version', 'cpu_info'].includes(name),
              ),
            ]),
          },
          handle: async api => {
            check(api);
            return ok({ hypervisor_statistics: await computeNodeStatistics(api.deps.db.knex) });
          },
        },
      },
      member: {
        uptime: {
          method: 'GET',
          xml: { tag: 'hypervisor', at: 'hypervisor', attributes: { ...NAMES, uptime: 'uptime' } },
          handle: async api => {
            check(api);
            const node = await nodeOf(api);
            const host = node.service?.host ?? node.hypervisor_hostname ?? '';
            const uptime = await translating(
              {
                NotImplementedError: () => notImplemented('Virt driver does not implement uptime function.'),
              },
              () => api.deps.compute.get_host_uptime(api.context, {}, { host }),
            );
            return ok({ hypervisor: { ...summary(node), uptime } });
          },
        },
        search: {
          method: 'GET',
          xml: listOf(element),
          handle: async api => {
            check(api);
            return ok({ hypervisors: (await matching(api)).map(summary) });
          },
        },
        servers: {
          method: 'GET',
          xml: listOf({
            ...element,
            children: [
              {
                tag: 'servers',
                children: [{ tag: 'server', at: 'servers', attributes: attributes(['name', 'uuid']) }],
              },
            ],
          }),
          handle: async api => {
            check(api);
            const nodes = await matching(api);
            const hosts = nodes.flatMap(node => (node.service ? [node.service.host] : []));
            const byHost = await instancesOnHosts(api.deps.db.knex, hosts);
            const template = api.deps.config.instance_name_template;
            return ok({
              hypervisors: nodes.map(node => {
                const servers = byHost.get(node.service?.host ?? '') ?? [];
                if (servers.length === 0) return summary(node);
                return {
                  ...summary(node),
                  servers: servers.map(server => ({
                    name: instanceName(template, server),
                    uuid: server.uuid,
                  })),
                };
              }),
            });
          },
        },
      },
    },
  ],
};
