import type { FlavorRow } from '@folsom/nova/flavors';
import { NOVA_NS } from '@folsom/wire/nova-xml';
import { attribute, links, one, type Parts, view } from '@folsom/wire/view';
import type { Caller, Registry } from '../http/api.ts';
import { linksOf } from '../http/links.ts';
import { extended, page } from './core-resources.ts';

type Of = [flavor: FlavorRow, caller: Caller];

const names: Parts<Of> = {
  id: attribute(flavor => flavor.flavorid),
  name: attribute(flavor => flavor.name),
};
const linked: Parts<Of> = {
  links: links((flavor, caller) => linksOf(caller, 'flavors', flavor.flavorid)),
};
const summary = view<Of>('flavor', { ...names, ...linked });
const detailed = view<Of>('flavor', {
  ...names,
  ram: attribute(flavor => flavor.memory_mb),
  disk: attribute(flavor => flavor.root_gb),
  vcpus: attribute(flavor => flavor.vcpus || ''),
  ...linked,
});

const idOf = (flavor: FlavorRow) => flavor.flavorid;
const namespaces = { '': NOVA_NS.v11, atom: NOVA_NS.atom };

/** What flavors look like with the loaded extensions. */
export function flavorViews(registry: Registry) {
  const full = extended('flavor', detailed, registry);
  const all = { namespaces: { ...namespaces, ...registry.namespaces('flavor') } };
  return {
    full,
    one: one(full, all),
    summaries: page(summary, idOf, { namespaces }),
    details: page(full, idOf, all),
  };
}
