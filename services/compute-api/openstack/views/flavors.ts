import type { FlavorRow } from '@folsom/nova/flavors';
import { atomLinks, NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { Caller, JsonObject, Registry } from '../http/api.ts';
import { linksOf } from '../http/links.ts';

export function flavorView(caller: Caller, flavor: FlavorRow): JsonObject {
  const view: JsonObject = {
    id: flavor.flavorid,
    name: flavor.name,
    ram: flavor.memory_mb,
    disk: flavor.root_gb,
    vcpus: flavor.vcpus || '',
    links: linksOf(caller, 'flavors', flavor.flavorid),
  };
  for (const add of caller.api.registry.flavor) add(caller, view, flavor);
  return view;
}

export const flavorSummary = (caller: Caller, flavor: FlavorRow): JsonObject => ({
  id: flavor.flavorid,
  name: flavor.name,
  links: linksOf(caller, 'flavors', flavor.flavorid),
});

const detailed: XmlTemplate = {
  tag: 'flavor',
  attributes: { name: 'name', id: 'id', ram: 'ram', disk: 'disk', vcpus: 'vcpus' },
  children: [atomLinks()],
};
const basic: XmlTemplate = { tag: 'flavor', attributes: { name: 'name', id: 'id' }, children: [atomLinks()] };
const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };

export function flavorTemplates(registry: Registry) {
  const full = registry.xml('flavor', detailed);
  const all = { ...namespaces, ...registry.namespaces('flavor') };
  return {
    one: { ...full, at: 'flavor', namespaces: all } as XmlTemplate,
    minimal: { tag: 'flavors', namespaces, children: [{ ...basic, at: 'flavors' }] } as XmlTemplate,
    detail: { tag: 'flavors', namespaces: all, children: [{ ...full, at: 'flavors' }] } as XmlTemplate,
  };
}
