import { ownText } from '@folsom/http/operation';
import { attributesOf, bareDocument, elementsOf, manyWrapped, view } from '@folsom/wire/view';
import type { HostSettings, HostUse } from '../../domain/hosts.ts';
import type { ComputeOperation, Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

const policy = 'compute_extension:hosts';

const use = view<[HostUse]>(
  'resource',
  elementsOf<HostUse>('host', 'project', 'cpu', 'memory_mb', 'disk_gb'),
);
/** Each in an object of its own. */
const uses = manyWrapped(use, { tag: 'host' });

interface Told {
  host?: string;
  power_action?: unknown;
  status?: unknown;
  maintenance_mode?: unknown;
}
const told = bareDocument(
  view<[Told]>('host', attributesOf<Told>('host', 'power_action', 'status', 'maintenance_mode')),
);

/** `{"status": "enable"}` and its like. */
const settings = readBy((body): HostSettings => {
  if (!isObject(body)) throw badRequest();
  const out: HostSettings = {};
  for (const [rawKey, rawValue] of Object.entries(body)) {
    const key = rawKey.toLowerCase().trim();
    if (typeof rawValue !== 'string') throw badRequest();
    const value = rawValue.toLowerCase().trim();
    if (key !== 'status' && key !== 'maintenance_mode')
      throw badRequest(`Invalid update setting: '${rawKey}'`);
    if (value !== 'enable' && value !== 'disable') {
      throw badRequest(`Invalid ${key === 'status' ? 'status' : 'mode'}: '${rawValue}'`);
    }
    out[key] = value === 'enable';
  }
  return out;
}, '`status` and `maintenance_mode`, each `enable` or `disable`.');

const power = (action: 'startup' | 'shutdown' | 'reboot', name: string, about: string): ComputeOperation =>
  operation({
    name,
    about,
    method: 'GET',
    path: `/os-hosts/:id/${action}`,
    policy,
    answers: 200,
    view: told,
    throws: ['HostUnknown', 'PowerActionNotImplemented'],
    run: async ({ domain, context, params }) =>
      told.json({ host: params.id, power_action: await domain.hosts.power(context, params.id, action) }),
  });

/** Hosts and their daemons; for administrators. */
export const extension: Extension = {
  alias: 'os-hosts',
  name: 'Hosts',
  namespace: 'http://docs.openstack.org/compute/ext/hosts/api/v1.1',
  updated: '2011-06-29T00:00:00+00:00',
  description: 'Admin-only host administration',
  resources: ['/os-hosts'],
  operations: [
    operation({
      name: 'ListHosts',
      about: 'The daemons that are enabled, with their hosts.',
      method: 'GET',
      path: '/os-hosts',
      policy,
      answers: 200,
      // The original's XML shows one empty element, whatever hosts there are.
      view: { xml: { tag: 'hosts', children: [{ tag: 'host' }] } },
      run: async ({ domain, context }) => ({
        hosts: (await domain.hosts.services(context)).map(({ host, topic }) => ({
          host_name: host,
          service: topic,
        })),
      }),
    }),
    operation({
      name: 'ShowHost',
      about: 'What is there and used on a host, as a whole and by project.',
      method: 'GET',
      path: '/os-hosts/:id',
      policy: null,
      answers: 200,
      view: uses,
      faults: {
        AdminRequired: [403, 'Describe-resource is admin only functionality'],
        ComputeHostNotFound: [404, 'Host not found'],
      },
      run: async ({ domain, context, params }) => uses.json(await domain.hosts.use(context, params.id)),
    }),
    operation({
      name: 'UpdateHost',
      about: 'Whether a host takes new guests, and whether it is in maintenance.',
      method: 'PUT',
      path: '/os-hosts/:id',
      policy,
      body: settings,
      beforeBody: ({ domain, context, params }) => domain.hosts.mustBeKnown(context, params.id),
      readXml: root => Object.fromEntries(root.children.map(item => [item.name, item.text])),
      answers: 200,
      view: told,
      faults: { HostUnknown: [404, ownText] },
      throws: ['UnexpectedHostAnswer', 'ServiceNotFound'],
      run: async ({ domain, context, params, body }) => {
        const said = await domain.hosts.set(context, params.id, body);
        return told.json(Object.keys(said).length === 0 ? {} : { host: params.id, ...said });
      },
    }),
    power('startup', 'StartHost', 'Asks a host to start; its hypervisor must know how.'),
    power('shutdown', 'ShutDownHost', 'Asks a host to shut down; its hypervisor must know how.'),
    power('reboot', 'RebootHost', 'Asks a host to start anew; its hypervisor must know how.'),
  ],
};
