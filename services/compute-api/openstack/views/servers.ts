import { createHash } from 'node:crypto';
import { isoSeconds } from '@folsom/core';
import { NOVA_NS, pairs, type XmlTemplate } from '@folsom/wire/nova-xml';
import {
  attribute,
  attributesOf,
  child,
  elementsOf,
  links,
  metadata,
  one,
  type Parts,
  shownAs,
  view,
} from '@folsom/wire/view';
import { LRUCache } from 'lru-cache';
import type { ListedInstance } from '../../domain/instance-details.ts';
import { vmState } from '../../domain/instances.ts';
import type { Caller, CreatedInstance, JsonObject, Registry } from '../http/api.ts';
import { bookmark, idFromHref, linksOf } from '../http/links.ts';
import { extended, page } from './core-resources.ts';

const RESIZING = ['resize_prep', 'resize_migrating', 'resize_migrated', 'resize_finish'];
const REBUILDING = ['rebuilding', 'rebuild_block_device_mapping', 'rebuild_spawning'];

const STATUS: Record<string, string> = {
  [vmState.active]: 'ACTIVE',
  [vmState.building]: 'BUILD',
  [vmState.stopped]: 'SHUTOFF',
  [vmState.resized]: 'VERIFY_RESIZE',
  [vmState.paused]: 'PAUSED',
  [vmState.suspended]: 'SUSPENDED',
  [vmState.rescued]: 'RESCUE',
  [vmState.error]: 'ERROR',
  [vmState.deleted]: 'DELETED',
  [vmState.softDeleted]: 'DELETED',
};
const ACTIVE_TASKS: Record<string, string> = {
  rebooting: 'REBOOT',
  rebooting_hard: 'HARD_REBOOT',
  updating_password: 'PASSWORD',
  migrating: 'MIGRATING',
  ...Object.fromEntries(REBUILDING.map(task => [task, 'REBUILD'])),
  ...Object.fromEntries(RESIZING.map(task => [task, 'RESIZE'])),
};

/** The status users see. */
function statusOf(vm: string, task: string | null): string {
  if (vm === vmState.active && task !== null && ACTIVE_TASKS[task] !== undefined) return ACTIVE_TASKS[task];
  if (vm === vmState.resized && task === 'resize_reverting') return 'REVERT_RESIZE';
  return STATUS[vm] ?? 'UNKNOWN';
}

const WITH_PROGRESS = new Set(['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE']);

const hostIds = new LRUCache<string, string>({ max: 10_000 });

/** Tells a tenant's hosts apart without naming them. */
function hostIdOf(projectId: string | null, host: string | null): string {
  if (!host) return '';
  const key = `${projectId ?? 'None'}${host}`;
  let id = hostIds.get(key);
  if (id === undefined) {
    id = createHash('sha224').update(key).digest('hex');
    hostIds.set(key, id);
  }
  return id;
}

const time = (ms: number | null): string | null => (ms === null ? null : isoSeconds(ms));

type Of = [instance: ListedInstance, caller: Caller];

const network: XmlTemplate = {
  tag: 'network',
  attributes: { id: '0' },
  children: [{ tag: 'ip', at: '1', attributes: { version: 'version', addr: 'addr' } }],
};
const networks: XmlTemplate = { tag: 'addresses', at: 'addresses', children: [{ ...network, at: pairs }] };

/** Nothing is in one that is not there any more. */
type Linked = { id?: string; links?: unknown };
const linked = (tag: string) =>
  view<[Linked]>(tag, { id: attribute(({ id }) => id), links: links(item => item.links) });
interface ShownFault {
  code: number;
  created: string | null;
  message: string;
  details?: string;
}
const fault = view<[ShownFault]>('fault', {
  ...attributesOf<ShownFault>('code', 'created'),
  ...elementsOf<ShownFault>('message', 'details'),
});

/** The details of what broke inside are for operators. */
function faultOf({ fault: found }: ListedInstance, { isAdmin }: Caller): ShownFault | undefined {
  if (!found) return undefined;
  const { code, created_at, message, details } = found;
  return {
    ...{ code, created: time(created_at), message },
    ...(details && (isAdmin || code !== 500) ? { details } : {}),
  };
}

const id: Parts<[{ uuid: string }, Caller]> = { id: attribute(instance => instance.uuid) };
const names: Parts<[{ uuid: string; display_name: string | null }, Caller]> = {
  ...id,
  name: attribute(instance => instance.display_name),
};
const selfLinks: Parts<[{ uuid: string }, Caller]> = {
  links: links((instance, caller) => linksOf(caller, 'servers', instance.uuid)),
};
const summary = view<[{ uuid: string; display_name: string | null }, Caller]>('server', {
  ...names,
  ...selfLinks,
});

const status = (instance: ListedInstance) => statusOf(instance.vm_state, instance.task_state);

/** The server as show, detail, update and rebuild give it. */
const detailed = view<Of>('server', {
  ...names,
  status: attribute(status),
  tenant_id: attribute(instance => instance.project_id ?? '', { name: 'tenantId' }),
  user_id: attribute(instance => instance.user_id ?? '', { name: 'userId' }),
  metadata: metadata(instance => instance.metadata),
  hostId: attribute(instance => hostIdOf(instance.project_id, instance.host)),
  image: child(linked('image'), ({ image_ref }, caller) => {
    const id = idFromHref(image_ref);
    return { id, links: bookmark(caller, 'images', id) };
  }),
  flavor: child(linked('flavor'), ({ flavor }, caller) =>
    flavor ? { id: flavor.flavorid, links: bookmark(caller, 'flavors', flavor.flavorid) } : {},
  ),
  created: attribute(instance => instance.created),
  updated: attribute(instance => instance.updated ?? instance.created),
  addresses: shownAs({ children: [networks] }, instance => instance.addresses),
  accessIPv4: attribute(instance => instance.access_ip_v4 ?? ''),
  accessIPv6: attribute(instance => instance.access_ip_v6 ?? ''),
  ...selfLinks,
  fault: child(fault, faultOf),
  progress: attribute(instance =>
    WITH_PROGRESS.has(status(instance)) ? (instance.progress ?? 0) : undefined,
  ),
  // Of the answers to a creation and a rebuild.
  adminPass: attribute(),
  reservation_id: attribute(),
});

const idOf = (instance: { uuid: string }) => instance.uuid;
const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };
const own = { '': NOVA_NS.v11 };

/** Addresses of a server by network, and those of one network. */
export const addressViews = {
  all: {
    json: (found: ListedInstance['addresses']) => ({ addresses: found }),
    xml: { ...networks, namespaces: own },
  },
  one: {
    json: (name: string, found: ListedInstance['addresses']) => ({ [name]: found[name] }),
    // An object: a list would stand for two networks.
    xml: {
      ...network,
      at: (document: object) => Object.assign({}, Object.entries(document)[0]),
      namespaces: own,
    },
  },
};

const accepted = view<[{ uuid: string }, Caller]>('server', { ...id, ...selfLinks });

/** The server in the answer to its creation. */
export function acceptedServer(uuid: string, shown: CreatedInstance, caller: Caller): JsonObject {
  const document = accepted.json({ uuid }, caller);
  for (const add of caller.api.registry.added('serverCreated', caller)) add(document, shown, caller.api);
  return document;
}

/** What servers look like with the loaded extensions. */
export function serverViews(registry: Registry) {
  const full = extended('server', detailed, registry);
  const all = { namespaces: { ...namespaces, ...registry.namespaces('server') } };
  return {
    full,
    one: one(full, all),
    summaries: page(summary, idOf, { namespaces, linked: true }),
    details: page(full, idOf, all),
  };
}
export type ServerViews = ReturnType<typeof serverViews>;
