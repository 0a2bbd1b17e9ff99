import { child, escapeAll, writeXml, type XmlElement, type XmlNode } from './xml.ts';

/**
 * Nova's XML. Answers: a template says which attributes and elements stand for which parts of the JSON view, so that no
 * handler writes XML. Requests: a reader turns a document into the JSON body it stands for. What has neither is
 * translated by the generic rules that Folsom fell back to.
 */

export const NOVA_NS = {
  v11: 'http://docs.openstack.org/compute/api/v1.1',
  common: 'http://docs.openstack.org/common/api/v1.0',
  atom: 'http://www.w3.org/2005/Atom',
} as const;

/** A path of keys (`'image/id'`), or a function of the datum. */
export type Select = string | ((datum: never) => unknown);

export interface XmlTemplate {
  /** Tag with its prefix; a function where it depends on the datum. */
  tag: string | ((datum: never) => string);
  /** What the element shows of its parent's datum: an array gives one element an item, undefined none. */
  at?: Select;
  /** Attributes by name; one whose value is missing is left out. */
  attributes?: Readonly<Record<string, Select>>;
  text?: Select;
  children?: readonly XmlTemplate[];
  /** Written even where there is nothing to show. */
  always?: boolean;
  /** Namespaces by prefix; on the root only. */
  namespaces?: Readonly<Record<string, string>>;
}

/** A part that an extension adds to another template's element. */
export interface XmlAddition {
  attributes?: Readonly<Record<string, Select>>;
  children?: readonly XmlTemplate[];
}

/** The template with additions merged into it. */
export function extendTemplate(template: XmlTemplate, additions: readonly XmlAddition[]): XmlTemplate {
  return {
    ...template,
    attributes: {
      ...template.attributes,
      ...Object.fromEntries(additions.flatMap(item => Object.entries(item.attributes ?? {}))),
    },
    children: [...(template.children ?? []), ...additions.flatMap(item => item.children ?? [])],
  };
}

export const atomLinks = (at: Select = 'links'): XmlTemplate => ({
  tag: 'atom:link',
  at,
  attributes: { rel: 'rel', type: 'type', href: 'href' },
});

/** `[key, value]` pairs of an object, for templates that list one. */
export const pairs = (datum: Record<string, unknown> | undefined | null): [string, unknown][] =>
  Object.entries(datum ?? {});

/** How Python prints a value, which is what stands in nova's XML. */
export function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'object' && 'rawJSON' in value) return String((value as { rawJSON: string }).rawJSON);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${pythonRepr(key)}: ${pythonRepr(item)}`)
      .join(', ')}}`;
  }
  return String(value);
}

const pythonRepr = (value: unknown): string =>
  typeof value === 'string' ? `u'${value.replace(/[\\']/g, c => `\\${c}`)}'` : pythonText(value);

function select(how: Select, datum: unknown): unknown {
  if (typeof how === 'function') return how(datum as never);
  if (how === '') return datum;
  let at = datum;
  for (const key of how.split('/')) {
    if (at === null || typeof at !== 'object') return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** Renders a view with its template. */
export function renderXml(template: XmlTemplate, view: unknown): string {
  const [root] = nodesOf(template, view);
  const node = root ?? { tag: template.tag as string };
  return writeXml({ ...node, namespaces: { ...template.namespaces } });
}

function nodesOf(template: XmlTemplate, parent: unknown): XmlNode[] {
  const datum = template.at === undefined ? parent : select(template.at, parent);
  if (datum === undefined || datum === null) {
    return template.always ? [nodeOf({ ...template, children: [] }, {})] : [];
  }
  return Array.isArray(datum) && template.at !== undefined
    ? datum.map(item => nodeOf(template, item))
    : [nodeOf(template, datum)];
}

function nodeOf(template: XmlTemplate, datum: unknown): XmlNode {
  const attributes: Record<string, string> = {};
  for (const [name, how] of Object.entries(template.attributes ?? {})) {
    const value = select(how, datum);
    if (value !== undefined) attributes[name] = pythonText(value);
  }
  const children = (template.children ?? []).flatMap(item => nodesOf(item, datum));
  const text = template.text === undefined ? undefined : pythonText(select(template.text, datum));
  return {
    tag: typeof template.tag === 'function' ? template.tag(datum as never) : template.tag,
    attributes,
    ...(text !== undefined ? { content: text } : children.length > 0 ? { content: children } : {}),
  };
}

export interface GenericOptions {
  xmlns?: string;
  /** Keys written as attributes of the element of that name. */
  attributes?: Readonly<Record<string, readonly string[]>>;
}

/** What Folsom wrote for a view without a template: elements all the way down, lists by their singular. */
export function genericXml(view: Record<string, unknown>, options: GenericOptions = {}): string {
  const [key = 'object'] = Object.keys(view);
  const parts: string[] = [];
  generic(key, view[key], options, parts, options.xmlns);
  return parts.join('');
}

function generic(
  tag: string,
  value: unknown,
  options: GenericOptions,
  parts: string[],
  xmlns?: string,
): void {
  const name = xmlName(tag);
  parts.push(`<${name}`);
  const asAttributes = options.attributes?.[tag] ?? [];
  const isMap = isPlainObject(value);
  if (isMap) {
    for (const key of asAttributes) {
      if (key in value) parts.push(` ${key}="${escapeAll(pythonText(value[key]))}"`);
    }
  }
  if (xmlns) parts.push(` xmlns="${xmlns}"`);
  parts.push('>');
  if (Array.isArray(value)) {
    const singular = tag.endsWith('s') ? tag.slice(0, -1) : 'item';
    for (const item of value) generic(singular, item, options, parts);
  } else if (isMap) {
    for (const [key, item] of Object.entries(value)) {
      if (!asAttributes.includes(key)) generic(key, item, options, parts);
    }
  } else {
    parts.push(escapeAll(pythonText(value)));
  }
  parts.push(`</${name}>`);
}

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !('rawJSON' in value);

// Keys come from our own views, but some of them are made from users' names.
const xmlName = (tag: string): string => (/^[A-Za-z_][\w.:-]*$/.test(tag) ? tag : 'item');

/**
 * The JSON body a document stands for by the generic rules: text, or attributes and children by name. A key of an extension
 * keeps its prefix (`OS-FLV-EXT-DATA:ephemeral`); a prefix for the API's own namespace says nothing.
 */
export const genericBody = (root: XmlElement): Record<string, unknown> => ({
  [keyOf(root)]: genericValue(root),
});

export function genericValue(element: XmlElement): unknown {
  if (element.children.length === 0 && element.text !== '') return element.text;
  const out: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  Object.assign(out, element.writtenAttributes);
  for (const item of element.children) out[keyOf(item)] = genericValue(item);
  return { ...out };
}

const keyOf = (element: XmlElement): string =>
  element.namespace === NOVA_NS.v11 ? element.name : element.written;

/** `<metadata><meta key="a">b</meta></metadata>` as an object. */
export function readMetadata(element: XmlElement | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const item of element?.children ?? []) {
    if (item.name === 'meta') out[item.attributes.key ?? ''] = item.text;
  }
  return out;
}

/** An attribute, or the text of the child of that name. */
export const attributeOrChild = (element: XmlElement, name: string): string | undefined =>
  element.attributes[name] ?? child(element, name)?.text;

/** `<metadata>` of a view: `{ metadata: { key: value } }`. */
export const metadataElement: XmlTemplate = {
  tag: 'metadata',
  at: 'metadata',
  always: true,
  children: [{ tag: 'meta', at: pairs, attributes: { key: '0' }, text: '1' }],
};
