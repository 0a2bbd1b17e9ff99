import { ownText } from '@folsom/http/operation';
import { attribute, attributesOf, child, children, many, one, view } from '@folsom/wire/view';
import { COUNTED, type ComputeNode, type ComputeNodeStatistics } from '../../domain/hypervisors.ts';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';

const names = attributesOf<ComputeNode>('id', 'hypervisor_hostname');

const KINDS = ['hypervisor_type', 'hypervisor_version', 'cpu_info'] as const;

const service = view<[ComputeNode]>('service', {
  id: attribute(node => node.service_id),
  host: attribute(node => node.service?.host ?? null),
});
const summary = view<[ComputeNode]>('hypervisor', names);
const detailed = view<[ComputeNode]>('hypervisor', {
  ...names,
  ...Object.fromEntries([...COUNTED, ...KINDS].map(name => [name, attribute(node => node[name] ?? null)])),
  service: child(service, node => node),
});
const statistics = one(
  view<[ComputeNodeStatistics]>(
    'hypervisor_statistics',
    attributesOf<ComputeNodeStatistics>('count', ...COUNTED),
  ),
);
const uptime = one(
  view<[{ node: ComputeNode; uptime: string }]>('hypervisor', {
    id: attribute(({ node }) => node.id),
    hypervisor_hostname: attribute(({ node }) => node.hypervisor_hostname),
    uptime: attribute(found => found.uptime),
  }),
);

interface Guest {
  name: string;
  uuid: string;
}
const guest = view<[Guest]>('server', attributesOf<Guest>('name', 'uuid'));
/** Its guests, where it has any. */
const withGuests = view<[{ node: ComputeNode; servers: readonly Guest[] }]>('hypervisor', {
  id: attribute(({ node }) => node.id),
  hypervisor_hostname: attribute(({ node }) => node.hypervisor_hostname),
  servers: children(guest, ({ servers }) => (servers.length === 0 ? undefined : servers)),
});
const listed = many(summary);
const listedInDetail = many(detailed);
const shown = one(detailed);
const listedWithGuests = many(withGuests);

const policy = 'compute_extension:hypervisors';
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
      view: listed,
      run: async ({ domain, context }) => listed.json(await domain.hypervisors.list(context)),
    }),
    operation({
      name: 'ListHypervisorDetails',
      about: 'Hypervisors with what they have and what is used of it.',
      method: 'GET',
      path: '/os-hypervisors/detail',
      policy,
      answers: 200,
      view: listedInDetail,
      run: async ({ domain, context }) => listedInDetail.json(await domain.hypervisors.list(context)),
    }),
    operation({
      name: 'ShowHypervisorStatistics',
      about: 'Sums over all hypervisors.',
      method: 'GET',
      path: '/os-hypervisors/statistics',
      policy,
      answers: 200,
      view: statistics,
      run: async ({ domain, context }) => statistics.json(await domain.hypervisors.statistics(context)),
    }),
    operation({
      name: 'ShowHypervisor',
      about: 'A hypervisor with what it has and what is used of it.',
      method: 'GET',
      path: '/os-hypervisors/:id',
      policy,
      answers: 200,
      view: shown,
      throws: ['HypervisorNotFound'],
      run: async ({ domain, context, params }) =>
        shown.json(await domain.hypervisors.get(context, params.id)),
    }),
    operation({
      name: 'ShowHypervisorUptime',
      about: 'What the host itself says of its uptime.',
      method: 'GET',
      path: '/os-hypervisors/:id/uptime',
      policy,
      answers: 200,
      view: uptime,
      faults: { UptimeNotImplemented: [501, ownText] },
      throws: ['HypervisorNotFound'],
      run: async ({ domain, context, params }) =>
        uptime.json(await domain.hypervisors.uptime(context, params.id)),
    }),
    operation({
      name: 'SearchHypervisors',
      about: 'Hypervisors whose name has the text in it.',
      method: 'GET',
      path: '/os-hypervisors/:id/search',
      policy,
      answers: 200,
      view: listed,
      throws: ['NoHypervisorMatches'],
      run: async ({ domain, context, params }) =>
        listed.json(await domain.hypervisors.search(context, params.id)),
    }),
    operation({
      name: 'ListHypervisorServers',
      about: 'Hypervisors whose name has the text in it, with their guests.',
      method: 'GET',
      path: '/os-hypervisors/:id/servers',
      policy,
      answers: 200,
      view: listedWithGuests,
      throws: ['NoHypervisorMatches'],
      run: async ({ domain, context, params }) =>
        listedWithGuests.json(await domain.hypervisors.servers(context, params.id)),
    }),
  ],
};
