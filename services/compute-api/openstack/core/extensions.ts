import { NOVA_NS } from '@folsom/wire/nova-xml';
import { attributesOf, elementsOf, links, many, one, view } from '@folsom/wire/view';
import type { ComputeOperation, Extension } from '../http/api.ts';
import { notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';

const described = view<[Extension]>('extension', {
  ...attributesOf<Extension>('name', 'alias', 'namespace', 'updated'),
  ...elementsOf<Extension>('description'),
  links: links(() => []),
});
const namespaces = { '': NOVA_NS.common, atom: NOVA_NS.atom };
const shown = one(described, { namespaces });
const listed = many(described, { namespaces });

/** What is loaded, read from the extensions' own declarations. */
export const extensionOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListExtensions',
    about: 'The extensions that are loaded.',
    method: 'GET',
    path: '/extensions',
    policy: null,
    answers: 200,
    view: listed,
    run: ({ context }) => listed.json(context.api.registry.extensions),
  }),
  operation({
    name: 'ShowExtension',
    about: 'An extension that is loaded.',
    method: 'GET',
    path: '/extensions/:id',
    policy: null,
    answers: 200,
    view: shown,
    run: ({ context, params }) => {
      const found = context.api.registry.extensions.find(item => item.alias === params.id);
      if (!found) throw notFound();
      return shown.json(found);
    },
  }),
];
