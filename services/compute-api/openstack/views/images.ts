import type { ImageWire } from '@folsom/nova/rpc/wire';
import { atomLinks, metadataElement, NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { Caller, JsonObject, Registry } from '../http/api.ts';
import { type Link, linksOf, nextLink, withPrefix } from '../http/links.ts';

const STATUS: Record<string, string> = {
  active: 'ACTIVE',
  queued: 'SAVING',
  saving: 'SAVING',
  deleted: 'DELETED',
  pending_delete: 'DELETED',
  killed: 'ERROR',
};
const PROGRESS: Record<string, number> = { queued: 25, saving: 50, active: 100 };

function imageLinks(caller: Caller, id: string): Link[] {
  const { glance_host, glance_port, osapi_glance_link_prefix } = caller.api.config;
  const glance = withPrefix(`http://${glance_host}:${glance_port}`, osapi_glance_link_prefix);
  return [
    ...linksOf(caller, 'images', id),
    {
      rel: 'alternate',
      type: 'application/vnd.openstack.image',
      href: `${glance}/${caller.tenant}/images/${id}`,
    },
  ];
}

const time = (text: string | null): string | null => (text === null ? null : `${text.slice(0, 19)}Z`);

export function imageView(caller: Caller, image: ImageWire): JsonObject {
  const view: JsonObject = {
    id: image.id,
    name: image.name,
    minRam: image.min_ram,
    minDisk: image.min_disk,
    metadata: image.properties,
    created: time(image.created_at),
    updated: time(image.updated_at),
    status: STATUS[image.status] ?? 'UNKNOWN',
    progress: PROGRESS[image.status] ?? 0,
    links: imageLinks(caller, image.id),
  };
  const server = image.properties.instance_uuid;
  if (typeof server === 'string') view.server = { id: server, links: linksOf(caller, 'servers', server) };
  for (const add of caller.api.registry.image) add(caller, view, image);
  return view;
}

export const imageSummary = (caller: Caller, image: ImageWire): JsonObject => ({
  id: image.id,
  name: image.name,
  links: imageLinks(caller, image.id),
});

export function imagesView(
  caller: Caller,
  images: readonly ImageWire[],
  one: (caller: Caller, image: ImageWire) => JsonObject,
): JsonObject {
  const next = nextLink(caller, 'images', images);
  return { images: images.map(image => one(caller, image)), ...(next ? { images_links: next } : {}) };
}

const detailed: XmlTemplate = {
  tag: 'image',
  attributes: {
    name: 'name',
    id: 'id',
    updated: 'updated',
    created: 'created',
    status: 'status',
    progress: 'progress',
    minRam: 'minRam',
    minDisk: 'minDisk',
  },
  children: [
    { tag: 'server', at: 'server', attributes: { id: 'id' }, children: [atomLinks()] },
    metadataElement,
    atomLinks(),
  ],
};
const basic: XmlTemplate = { tag: 'image', attributes: { name: 'name', id: 'id' }, children: [atomLinks()] };
const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };

export function imageTemplates(registry: Registry) {
  const full = registry.xml('image', detailed);
  const all = { ...namespaces, ...registry.namespaces('image') };
  return {
    one: { ...full, at: 'image', namespaces: all } as XmlTemplate,
    minimal: {
      tag: 'images',
      namespaces,
      children: [{ ...basic, at: 'images' }, atomLinks('images_links')],
    } as XmlTemplate,
    detail: { tag: 'images', namespaces: all, children: [{ ...full, at: 'images' }] } as XmlTemplate,
  };
}
