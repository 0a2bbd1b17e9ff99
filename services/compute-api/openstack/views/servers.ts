import { createHash } from 'node:crypto';
import { isoSeconds } from '@folsom/core';
import { atomLinks, metadataElement, NOVA_NS, pairs, type XmlTemplate } from '@folsom/wire/nova-xml';
import { LRUCache } from 'lru-cache';
import type { ListedInstance } from '../../domain/instance-details.ts';
import { vmState } from '../../domain/instances.ts';
import type { Caller, JsonObject, Registry, ServerAddition } from '../http/api.ts';
import { bookmark, idFromHref, linksOf, nextLink } from '../http/links.ts';

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

/** The server as show, detail, update and rebuild give it. */
export function serverView(
  caller: Caller,
  instance: ListedInstance,
  additions: readonly ServerAddition[] = caller.api.registry.server(caller),
): JsonObject {
  const status = statusOf(instance.vm_state, instance.task_state);
  const imageId = idFromHref(instance.image_ref);
  const view: JsonObject = {
    id: instance.uuid,
    name: instance.display_name,
    status,
    tenant_id: instance.project_id ?? '',
    user_id: instance.user_id ?? '',
    metadata: instance.metadata,
    hostId: hostIdOf(instance.project_id, instance.host),
    image: { id: imageId, links: bookmark(caller, 'images', imageId) },
    flavor: instance.flavor
      ? { id: instance.flavor.flavorid, links: bookmark(caller, 'flavors', instance.flavor.flavorid) }
      : {},
    created: instance.created,
    updated: instance.updated ?? instance.created,
    addresses: instance.addresses,
    accessIPv4: instance.access_ip_v4 ?? '',
    accessIPv6: instance.access_ip_v6 ?? '',
    links: linksOf(caller, 'servers', instance.uuid),
  };
  const { fault } = instance;
  if (fault) {
    view.fault = {
      code: fault.code,
      created: time(fault.created_at),
      message: fault.message,
      // The details of what broke inside are for operators.
      ...(fault.details && (caller.isAdmin || fault.code !== 500) ? { details: fault.details } : {}),
    };
  }
  if (WITH_PROGRESS.has(status)) view.progress = instance.progress ?? 0;
  for (const add of additions) add(caller.api, view, instance);
  return view;
}

/** A page of servers with its `next` link. */
export function serversView(
  caller: Caller,
  items: readonly { uuid: string }[],
  views: readonly JsonObject[],
): JsonObject {
  const next = nextLink(
    caller,
    'servers',
    items.map(item => ({ id: item.uuid })),
  );
  return { servers: views, ...(next ? { servers_links: next } : {}) };
}

const network: XmlTemplate = {
  tag: 'network',
  attributes: { id: '0' },
  children: [{ tag: 'ip', at: '1', attributes: { version: 'version', addr: 'addr' } }],
};

export const addressesXml: XmlTemplate = {
  tag: 'addresses',
  at: 'addresses',
  namespaces: { '': NOVA_NS.v11 },
  children: [{ ...network, at: pairs }],
};
export const networkXml: XmlTemplate = {
  ...network,
  // An object: a list would stand for two networks.
  at: (view: JsonObject) => Object.assign({}, pairs(view)[0]),
  namespaces: { '': NOVA_NS.v11 },
};

const basic: XmlTemplate = { tag: 'server', attributes: { name: 'name', id: 'id' }, children: [atomLinks()] };

const linked = (tag: string): XmlTemplate => ({
  tag,
  at: tag,
  attributes: { id: 'id' },
  children: [atomLinks()],
});

const detailed: XmlTemplate = {
  tag: 'server',
  attributes: {
    name: 'name',
    id: 'id',
    userId: 'user_id',
    tenantId: 'tenant_id',
    updated: 'updated',
    created: 'created',
    hostId: 'hostId',
    accessIPv4: 'accessIPv4',
    accessIPv6: 'accessIPv6',
    status: 'status',
    progress: 'progress',
    reservation_id: 'reservation_id',
    adminPass: 'adminPass',
  },
  children: [
    linked('image'),
    linked('flavor'),
    {
      tag: 'fault',
      at: 'fault',
      attributes: { code: 'code', created: 'created' },
      children: [
        { tag: 'message', at: 'message', text: '' },
        { tag: 'details', at: 'details', text: '' },
      ],
    },
    metadataElement,
    addressesXml,
    atomLinks(),
  ],
};

const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };

/** Templates of the server resource with what the loaded extensions add. */
export function serverTemplates(registry: Registry) {
  const full = registry.xml('server', detailed);
  const all = { ...namespaces, ...registry.namespaces('server') };
  return {
    one: { ...full, at: 'server', namespaces: all } as XmlTemplate,
    minimal: {
      tag: 'servers',
      namespaces,
      children: [{ ...basic, at: 'servers' }, atomLinks('servers_links')],
    } as XmlTemplate,
    detail: { tag: 'servers', namespaces: all, children: [{ ...full, at: 'servers' }] } as XmlTemplate,
  };
}
