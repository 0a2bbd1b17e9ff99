import { atomLinks } from '@folsom/wire/nova-xml';
import { type DocumentView, many, type View, type Writer } from '@folsom/wire/view';
import type { Caller, Registry, Shown } from '../http/api.ts';
import { nextLink } from '../http/links.ts';

/** What the loaded extensions may add to, and what their parts see of it. */
type Resource = Exclude<keyof Shown, 'serverCreated'>;
type Thing<Name extends Resource> = Shown[Name][0];

export interface CoreView<Name extends Resource> extends View<[Thing<Name>, Caller]> {
  /** `added`: what the caller sees of the additions; asked for where it is not given. */
  json(thing: Thing<Name>, caller: Caller, added?: readonly Writer<Shown[Name]>[]): Record<string, unknown>;
}

/** The view with what extensions add to it: JSON has what the caller sees, XML what the registry has. */
export const extended = <Name extends Resource>(
  name: Name,
  { json, element, keys }: View<[Thing<Name>, Caller]>,
  registry: Registry,
): CoreView<Name> => ({
  element: { ...registry.xml(name, element), tag: element.tag },
  keys: [keys.slice(0, -2), ...registry.keys(name)].join(', ').concat(' }'),
  json: (thing, caller, added = caller.api.registry.added(name, caller)) => {
    const document = json(thing, caller);
    const of = [thing, caller.api] as unknown as Shown[Name];
    for (const add of added) add(document, ...of);
    return document;
  },
});

/** A page with a link to the next, where there may be one; XML has it in the short lists of some. */
export function page<Item>(
  view: View<[Item, Caller]>,
  idOf: (item: Item) => string,
  { namespaces, linked = false }: { namespaces: Readonly<Record<string, string>>; linked?: boolean },
): DocumentView<[readonly Item[], Caller]> {
  const all = many(view, { namespaces });
  const collection = `${view.element.tag}s`;
  const next = `${collection}_links`;
  return {
    keys: all.keys,
    json: (items, caller) => {
      const found = nextLink(
        caller,
        collection,
        items.map(item => ({ id: idOf(item) })),
      );
      return { ...all.json(items, caller), ...(found ? { [next]: found } : {}) };
    },
    xml: linked ? { ...all.xml, children: [...(all.xml.children ?? []), atomLinks(next)] } : all.xml,
  };
}
