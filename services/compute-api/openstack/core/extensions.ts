import { atomLinks, NOVA_NS, type XmlTemplate } from '@folsom/wire/nova-xml';
import type { ComputeOperation, Extension, JsonObject } from '../http/api.ts';
import { notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

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
export const extensionOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListExtensions',
    about: 'The extensions that are loaded.',
    method: 'GET',
    path: '/extensions',
    policy: null,
    answers: 200,
    view: { xml: { tag: 'extensions', namespaces, children: [{ ...element, at: 'extensions' }] } },
    run: ({ context }) => ({ extensions: context.api.registry.extensions.map(view) }),
  }),
  operation({
    name: 'ShowExtension',
    about: 'An extension that is loaded.',
    method: 'GET',
    path: '/extensions/:id',
    policy: null,
    answers: 200,
    view: { xml: { ...element, at: 'extension', namespaces } },
    run: ({ context, params }) => {
      const found = context.api.registry.extensions.find(item => item.alias === params.id);
      if (!found) throw notFound();
      return { extension: view(found) };
    },
  }),
];
