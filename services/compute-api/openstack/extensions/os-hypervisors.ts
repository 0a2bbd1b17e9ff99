import { ownText } from '@folsom/http/operation';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import type { ComputeNode } from '../../domain/hypervisors.ts';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';

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

const serversXml: XmlTemplate = {
  tag: 'servers',
  children: [{ tag: 'server', at: 'servers', attributes: attributes(['name', 'uuid']) }],
};

const policy = 'compute_extension:hypervisors';
const STATISTICS = DETAILS.filter(
  name => !['hypervisor_type', 'hypervisor_version', 'cpu_info'].includes(name),
);

/** What the hosts offer and how much of it is used; for administrators. */
export const extension: Extension = {
  alias: 'os-hypervisors',
  name: 'Hypervisors',
  namespace: 'http://docs.openstack.org/compute/ext/hypervisors/api/v1.1',
  updated: '2012-06-21T00:00:00+00:00',
  description: 'Admin-only hypervisor administration',
  resources: ['/os-hypervisors'],
  operations: [
    operation({
      name: 'ListHypervisors',
      about: 'Hypervisors: their ids and names.',
      method: 'GET',
      path: '/os-hypervisors',
      policy,
      answers: 200,
      view: { xml: listOf(element) },
      run: async ({ domain, context }) => ({
        hypervisors: (await domain.hypervisors.list(context)).map(summary),
      }),
    }),
    operation({
      name: 'ListHypervisorDetails',
      about: 'Hypervisors with what they have and what is used of it.',
      method: 'GET',
      path: '/os-hypervisors/detail',
      policy,
      answers: 200,
      view: { xml: listOf(detailed) },
      run: async ({ domain, context }) => ({
        hypervisors: (await domain.hypervisors.list(context)).map(detail),
      }),
    }),
    operation({
      name: 'ShowHypervisorStatistics',
      about: 'Sums over all hypervisors.',
      method: 'GET',
      path: '/os-hypervisors/statistics',
      policy,
      answers: 200,
      view: {
        xml: {
          tag: 'hypervisor_statistics',
          at: 'hypervisor_statistics',
          attributes: attributes(['count', ...STATISTICS]),
        },
      },
      run: async ({ domain, context }) => ({
        hypervisor_statistics: await domain.hypervisors.statistics(context),
      }),
    }),
    operation({
      name: 'ShowHypervisor',
      about: 'A hypervisor with what it has and what is used of it.',
      method: 'GET',
      path: '/os-hypervisors/:id',
      policy,
      answers: 200,
      view: { xml: { ...detailed, at: 'hypervisor' } },
      throws: ['HypervisorNotFound'],
      run: async ({ domain, context, params }) => ({
        hypervisor: detail(await domain.hypervisors.get(context, params.id)),
      }),
    }),
    operation({
      name: 'ShowHypervisorUptime',
      about: 'What the host itself says of its uptime.',
      method: 'GET',
      path: '/os-hypervisors/:id/uptime',
      policy,
      answers: 200,
      view: { xml: { tag: 'hypervisor', at: 'hypervisor', attributes: { ...NAMES, uptime: 'uptime' } } },
      faults: { UptimeNotImplemented: [501, ownText] },
      throws: ['HypervisorNotFound'],
      run: async ({ domain, context, params }) => {
        const { node, uptime } = await domain.hypervisors.uptime(context, params.id);
        return { hypervisor: { ...summary(node), uptime } };
      },
    }),
    operation({
      name: 'SearchHypervisors',
      about: 'Hypervisors whose name has the text in it.',
      method: 'GET',
      path: '/os-hypervisors/:id/search',
      policy,
      answers: 200,
      view: { xml: listOf(element) },
      throws: ['NoHypervisorMatches'],
      run: async ({ domain, context, params }) => ({
        hypervisors: (await domain.hypervisors.search(context, params.id)).map(summary),
      }),
    }),
    operation({
      name: 'ListHypervisorServers',
      about: 'Hypervisors whose name has the text in it, with their guests.',
      method: 'GET',
      path: '/os-hypervisors/:id/servers',
      policy,
      answers: 200,
      view: { xml: listOf({ ...element, children: [serversXml] }) },
      throws: ['NoHypervisorMatches'],
      run: async ({ domain, context, params }) => ({
        hypervisors: (await domain.hypervisors.servers(context, params.id)).map(({ node, servers }) => ({
          ...summary(node),
          ...(servers.length === 0 ? {} : { servers: servers.map(({ name, uuid }) => ({ name, uuid })) }),
        })),
      }),
    }),
  ],
};
