import { atomLinks, NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound } from '../http/faults.ts';
import { type JsonObject, param } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';

const element: XmlTemplate = {
  tag: 'extension',
  attributes: { name: 'name', namespace: 'namespace', alias: 'alias', updated: 'updated' },
  children: [{ tag: 'description', text: 'description' }, atomLinks()],
};
const namespaces = { '': NOVA_NS.common, atom: NOVA_NS.atom };

const view = ({ name, alias, description, namespace, updated }: Extension): JsonObject => ({
  name,
  alias,
  description,
  namespace,
  updated,
  links: [],
});

/** What is loaded, read from the extensions' own declarations. */
export const extensionsResource: Resource = {
  path: 'extensions',
  index: {
    xml: { tag: 'extensions', namespaces, children: [{ ...element, at: 'extensions' }] },
    handle: api => ok({ extensions: api.deps.registry.extensions.map(view) }),
  },
  show: {
    xml: { ...element, at: 'extension', namespaces },
    handle: api => {
      const found = api.deps.registry.extensions.find(item => item.alias === param(api, 'id'));
      if (!found) throw notFound();
      return ok({ extension: view(found) });
    },
  },
};
