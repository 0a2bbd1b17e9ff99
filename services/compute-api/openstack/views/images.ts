import type { ImageWire } from '@folsom/nova/rpc/wire';
import { NOVA_NS } from '@folsom/wire/nova-xml';
import { attribute, child, links, metadata, one, type Parts, view } from '@folsom/wire/view';
import type { Caller, Registry } from '../http/api.ts';
import { type Link, linksOf, withPrefix } from '../http/links.ts';
import { extended, page } from './core-resources.ts';

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

type Of = [image: ImageWire, caller: Caller];

const names: Parts<Of> = { id: attribute(image => image.id), name: attribute(image => image.name) };
const linked: Parts<Of> = { links: links((image, caller) => imageLinks(caller, image.id)) };

/** The server that an image was made of. */
const serverOf = view<[{ id: string; caller: Caller }]>('server', {
  id: attribute(({ id }) => id),
  links: links(({ id, caller }) => linksOf(caller, 'servers', id)),
});

const summary = view<Of>('image', { ...names, ...linked });
const detailed = view<Of>('image', {
  ...names,
  minRam: attribute(image => image.min_ram),
  minDisk: attribute(image => image.min_disk),
  created: attribute(image => time(image.created_at)),
  updated: attribute(image => time(image.updated_at)),
  status: attribute(image => STATUS[image.status] ?? 'UNKNOWN'),
  progress: attribute(image => PROGRESS[image.status] ?? 0),
  server: child(serverOf, ({ properties: { instance_uuid: id } }, caller) =>
    typeof id === 'string' ? { id, caller } : undefined,
  ),
  metadata: metadata(image => image.properties),
  ...linked,
});

const idOf = (image: ImageWire) => image.id;
const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };

/** What images look like with the loaded extensions. */
export function imageViews(registry: Registry) {
  const full = extended('image', detailed, registry);
  const all = { namespaces: { ...namespaces, ...registry.namespaces('image') } };
  return {
    one: one(full, all),
    summaries: page(summary, idOf, { namespaces, linked: true }),
    details: page(full, idOf, all),
  };
}

export type ImageViews = ReturnType<typeof imageViews>;
