import { Fault } from '@folsom/core';
import { writeXml, type XmlElement, type XmlNode } from './xml.ts';

/**
 * Keystone's XML style: one codec between the JSON documents of the identity API and their XML form. Scalars are
 * attributes, `description` is an element, lists become elements named by the singular, `*_links` of the root are left out.
 */

const IDENTITY_NAMESPACE = 'http://docs.openstack.org/identity/api/v2.0';

/** Extensions whose documents carry a prefix in JSON (`OS-KSADM:service`) and a namespace in XML. */
const EXTENSION_NAMESPACE = (alias: string) => `http://docs.openstack.org/identity/api/ext/${alias}/v1.0`;
const EXTENSION_PATTERN = /^http:\/\/docs\.openstack\.org\/identity\/api\/ext\/(OS-[A-Z0-9]+)\/v1\.0$/;
/** Only these wrap their JSON in a prefixed key. */
const PREFIXED = new Set(['OS-KSADM:service', 'OS-KSADM:services', 'OS-STATS:stats']);

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAME = /^[A-Za-z_][\w.-]*$/;

type Building = { tag: string; attributes: Record<string, string>; content: XmlNode[] };

/** The XML text of a JSON document with one root key. */
export function identityToXml(document: Record<string, unknown>): string {
  const roots = Object.keys(document).filter(key => !key.includes('_links'));
  // The endpoints of a token without a tenant are an object without any key.
  const key = roots[0] ?? 'endpoints';
  const colon = key.indexOf(':');
  const namespace = colon < 0 ? IDENTITY_NAMESPACE : EXTENSION_NAMESPACE(key.slice(0, colon));
  const root = element(key.slice(colon + 1));
  populate(root, document[key]);
  const text = writeXml({ ...root, namespaces: { '': namespace } }, { declaration: DECLARATION, indent: 2 });
  // As the original does: characters outside ASCII travel as references.
  return text.replace(/[^\x00-\x7f]/gu, char => `&#${char.codePointAt(0)};`);
}

const element = (tag: string): Building => ({ tag, attributes: {}, content: [] });

function populate(into: Building, value: unknown): void {
  if (Array.isArray(value)) addItems(into, singular(into.tag), value);
  else if (value !== null && typeof value === 'object') addFields(into, value as Record<string, unknown>);
}

const singular = (name: string): string => (name.endsWith('s') ? name.slice(0, -1) : name);

function addItems(into: Building, name: string, items: readonly unknown[]): void {
  for (const item of items) {
    const child = element(name);
    populate(child, item);
    into.content.push(child);
  }
}

function addFields(into: Building, fields: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(fields)) {
    if (!NAME.test(key) || value === null || value === undefined) continue;
    if (Array.isArray(value)) {
      addList(into, key, value);
    } else if (typeof value === 'object') {
      const child = element(key);
      populate(child, value);
      into.content.push(child);
    } else if (key === 'description' && typeof value !== 'boolean') {
      into.content.push({ tag: key, content: String(value) });
    } else {
      into.attributes[key] = String(value);
    }
  }
}

function addList(into: Building, key: string, items: readonly unknown[]): void {
  if (key === 'media-types' || key === 'serviceCatalog') {
    const container = element(key);
    addItems(container, key === 'serviceCatalog' ? 'service' : 'media-type', items);
    into.content.push(container);
  } else if (key === 'values' && into.tag.endsWith('s')) {
    addItems(into, singular(into.tag), items);
  } else {
    addItems(into, singular(key), items);
  }
}

/**
 * The JSON document of an XML request.
 *
 * @throws Fault `MalformedXml` (400)
 */
export function identityBody(root: XmlElement): Record<string, unknown> {
  const extension = EXTENSION_PATTERN.exec(root.namespace)?.[1];
  const prefixed = `${extension}:${root.name}`;
  return { [extension && PREFIXED.has(prefixed) ? prefixed : root.name]: contentOf(root) };
}

function contentOf(from: XmlElement): unknown {
  const fields: [string, unknown][] = Object.entries(from.attributes).map(([key, value]) => [
    key,
    key === 'enabled' && (value === 'true' || value === 'false') ? value === 'true' : value,
  ]);
  const text = from.text.trim();
  if (fields.length === 0 && from.children.length === 0) {
    if (text !== '') return text;
    return from.name === 'description' ? '' : {};
  }
  if (text !== '' && from.children.length > 0) {
    throw new Fault('MalformedXml', 400, 'Malformed XML document', {
      values: { detail: 'text between elements' },
    });
  }
  for (const child of from.children) fields.push([child.name, contentOf(child)]);
  return Object.fromEntries(fields);
}
