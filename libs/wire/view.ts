import { atomLinks, metadataElement, type Select, type XmlAddition, type XmlTemplate } from './nova-xml.ts';

/**
 * How a resource looks, said once: each part has its key and value in JSON and its place in XML beside each other. A view makes both:
 * the JSON document of what it is given, and the template that writes such a document as XML.
 */

/** One part of a resource, which is made of `Of`: the thing shown, and what else its looks depend on. */
export interface Part<Of extends unknown[]> {
  /** The value under the key; undefined leaves the part out. Absent: whoever answers puts it into the document. */
  of?: ((...of: Of) => unknown) | undefined;
  /** Where XML shows the value under that key; absent: nowhere. */
  xml?: (key: string) => XmlAddition;
  /** The keys that the value itself has. */
  keys?: string;
}
export type Parts<Of extends unknown[]> = Readonly<Record<string, Part<Of>>>;

/** In JSON alone. */
export const inJson = <Of extends unknown[]>(of: (...of: Of) => unknown): Part<Of> => ({ of });

/** At places of its own in XML. */
export const shownAs = <Of extends unknown[]>(xml: XmlAddition, of?: (...of: Of) => unknown): Part<Of> => ({
  of,
  xml: () => xml,
});

interface Spelling {
  /** Absent: the key. */
  name?: string;
  /** What XML shows of the value; absent: the value as Python prints it. */
  print?: ((value: unknown) => unknown) | undefined;
}

const text =
  (select: string, { print }: Spelling): Select =>
  (datum: never) => {
    const value = select === '' ? datum : (datum as Record<string, unknown>)[select];
    return print && value !== undefined ? print(value) : value;
  };

/** An attribute of the resource's element. */
export const attribute = <Of extends unknown[]>(
  of?: (...of: Of) => unknown,
  spelling: Spelling = {},
): Part<Of> => ({
  of,
  xml: key => ({ attributes: { [spelling.name ?? key]: text(key, spelling) } }),
});

/** An element with the value as its text; `always`: also where there is no value. */
export const textElement = <Of extends unknown[]>(
  of?: (...of: Of) => unknown,
  { always = false, ...spelling }: Spelling & { always?: boolean } = {},
): Part<Of> => ({
  of,
  xml: key => {
    const tag = spelling.name ?? key;
    return {
      children: [always ? { tag, text: text(key, spelling) } : { tag, at: key, text: text('', spelling) }],
    };
  },
});

type Names<Thing> = readonly (keyof Thing & string)[];

const partsOf = <Thing>(
  names: Names<Thing>,
  part: (of: (thing: Thing) => unknown) => Part<[Thing]>,
): Parts<[Thing]> => Object.fromEntries(names.map(name => [name, part(thing => thing[name])]));

/** Attributes that the thing itself has under the same names. */
export const attributesOf = <Thing>(...names: Names<Thing>): Parts<[Thing]> =>
  partsOf<Thing>(names, of => attribute(of));

/** Elements with text of what the thing itself has under the same names. */
export const elementsOf = <Thing>(...names: Names<Thing>): Parts<[Thing]> =>
  partsOf<Thing>(names, of => textElement(of));

/** Links of a resource, which are elements of Atom. */
export const links = <Of extends unknown[]>(of: (...of: Of) => unknown): Part<Of> => ({
  of,
  xml: key => ({ children: [atomLinks(key)] }),
});

/** Free keys with texts. */
export const metadata = <Of extends unknown[]>(of: (...of: Of) => unknown): Part<Of> =>
  shownAs({ children: [metadataElement] }, of);

/** Another resource inside this one, as an element of the key's name. */
export const child = <Of extends unknown[], Inner>(
  inner: View<[Inner]>,
  of: (...of: Of) => Inner | undefined,
): Part<Of> => ({
  of: (...thing) => {
    const found = of(...thing);
    return found === undefined ? undefined : inner.json(found);
  },
  xml: key => ({ children: [{ ...inner.element, tag: key, at: key }] }),
  keys: inner.keys,
});

/**
 * Others inside this one: an element of the key's name with one for each. `within`: the name of that element, null for none around
 * them; `ifAny`: not where there is nothing to list.
 */
export const children = <Of extends unknown[], Inner>(
  inner: View<[Inner]>,
  of: (...of: Of) => readonly Inner[] | undefined,
  { within, ifAny = false }: { within?: string | null; ifAny?: boolean } = {},
): Part<Of> => ({
  of: (...thing) => of(...thing)?.map(item => inner.json(item)),
  xml: key => {
    const items = { ...inner.element, at: key };
    if (within === null) return { children: [items] };
    const list = { tag: within ?? key, children: [items] };
    const where = (document: Record<string, unknown>) => (key in document ? document : undefined);
    return { children: [ifAny ? { ...list, at: where } : list] };
  },
  keys: `[ ${inner.keys} … ]`,
});

export interface View<Of extends unknown[]> {
  /** The resource in JSON. */
  json(...of: Of): Record<string, unknown>;
  /** Its element in XML, made of that. */
  element: XmlTemplate & { tag: string };
  /** Its keys in a line: `{ id, name, links }`. */
  keys: string;
}

/** Keys in a line, those inside of others too. */
export const keysOf = (parts: Parts<never>): string =>
  Object.entries(parts)
    .map(([key, { keys }]) => (keys === undefined ? key : `${key}: ${keys}`))
    .join(', ');

/** What parts add to an element. */
export function xmlOf(parts: Parts<never>): XmlAddition {
  const shown = Object.entries(parts).flatMap(([key, part]) => part.xml?.(key) ?? []);
  return {
    attributes: Object.assign({}, ...shown.map(({ attributes }) => attributes)) as Record<string, Select>,
    children: shown.flatMap(item => item.children ?? []),
  };
}

/** Writes the parts into a document. */
export type Writer<Of extends unknown[]> = (document: Record<string, unknown>, ...of: Of) => void;

export function writerOf<Of extends unknown[]>(parts: Parts<Of>): Writer<Of> {
  const known = Object.entries(parts).flatMap(([key, { of }]) => (of ? [{ key, of }] : []));
  return (document, ...of) => {
    for (const part of known) {
      const value = part.of(...of);
      if (value !== undefined) document[part.key] = value;
    }
  };
}

/** The view of a resource whose element has that tag. */
export function view<Of extends unknown[]>(tag: string, parts: Parts<Of>): View<Of> {
  const write = writerOf(parts);
  return {
    json: (...of) => {
      const document: Record<string, unknown> = {};
      write(document, ...of);
      return document;
    },
    element: { tag, ...xmlOf(parts as Parts<never>) },
    keys: `{ ${keysOf(parts as Parts<never>)} }`,
  };
}

/** An answer: how its document is made of what it shows, and how XML writes that. */
export interface DocumentView<Of extends unknown[]> {
  json(...of: Of): Record<string, unknown>;
  xml: XmlTemplate;
  keys: string;
}

type Namespaces = Readonly<Record<string, string>>;
const withNamespaces = (namespaces: Namespaces | undefined) => (namespaces ? { namespaces } : {});

/** One resource, under its tag. */
export const one = <Of extends unknown[]>(
  { element, json, keys }: View<Of>,
  { namespaces }: { namespaces?: Namespaces } = {},
): DocumentView<Of> => ({
  json: (...of) => ({ [element.tag]: json(...of) }),
  xml: { ...element, at: element.tag, ...withNamespaces(namespaces) },
  keys: `{ ${element.tag}: ${keys} }`,
});

/** Several, under their tag's plural. */
export function many<Thing, Rest extends unknown[]>(
  { element, json, keys }: View<[Thing, ...Rest]>,
  { tag = `${element.tag}s`, namespaces }: { tag?: string; namespaces?: Namespaces } = {},
): DocumentView<[readonly Thing[], ...Rest]> {
  return {
    json: (things, ...rest) => ({ [tag]: things.map(thing => json(thing, ...rest)) }),
    xml: { tag, children: [{ ...element, at: tag }], ...withNamespaces(namespaces) },
    keys: `{ ${tag}: [ ${keys} … ] }`,
  };
}

/** Several, each in an object of its own under its tag; XML has them without. */
export const manyWrapped = <Thing>(
  { element, json, keys }: View<[Thing]>,
  { tag = `${element.tag}s` } = {},
): DocumentView<[readonly Thing[]]> => ({
  json: things => ({ [tag]: things.map(thing => ({ [element.tag]: json(thing) })) }),
  keys: `{ ${tag}: [ { ${element.tag}: ${keys} } … ] }`,
  xml: {
    tag,
    children: [
      {
        ...element,
        at: (document: Record<string, Record<string, unknown>[]>) =>
          document[tag]?.map(item => item[element.tag]),
      },
    ],
  },
});

/** A document that is the resource itself, without a key around it. */
export const bareDocument = <Of extends unknown[]>({ element, json, keys }: View<Of>): DocumentView<Of> => ({
  json,
  keys,
  xml: element,
});
