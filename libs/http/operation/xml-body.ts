import { must } from '@folsom/core';
import type { XmlElement } from '@folsom/wire';
import type { TSchema } from 'typebox';

/*
 * XML bodies by the same shape that describes the JSON: attributes and children by name. A key of an extension keeps its prefix
 * (`OS-FLV-EXT-DATA:ephemeral`), whatever prefix a document uses for the extension's namespace.
 */

interface Node {
  type?: string;
  properties?: Record<string, TSchema>;
  patternProperties?: Record<string, TSchema>;
  items?: TSchema;
  anyOf?: TSchema[];
}

/** A document as the body it stands for: an object with the root's name, as the JSON has it. */
export const bodyOfXml = (root: XmlElement, shape: TSchema | undefined): Record<string, unknown> => {
  const name = nameIn(root.written, root.name, propertiesOf(shape));
  return { [name]: valueOfXml(root, propertiesOf(shape)?.[name]) };
};

/** What an element holds: text, a list, pairs, or attributes and children by name. */
export function valueOfXml(element: XmlElement, shape: TSchema | undefined): unknown {
  const node = nodeOf(shape);
  if (node.type === 'array') return element.children.map(item => valueOfXml(item, node.items));
  // `<metadata><meta key="a">b</meta></metadata>`
  if (node.patternProperties) {
    const [of] = Object.values(node.patternProperties);
    return Object.fromEntries(
      element.children.map(item => [item.attributes.key ?? item.name, valueOfXml(item, of)]),
    );
  }
  if (node.type === 'object' || node.properties || element.children.length > 0)
    return fieldsOf(element, node);
  const attributes = Object.keys(element.writtenAttributes);
  if (element.text !== '' || attributes.length === 0)
    return node.type === undefined && element.text === '' ? {} : element.text;
  return fieldsOf(element, node);
}

function fieldsOf(element: XmlElement, { properties }: Node): Record<string, unknown> {
  const fields: [string, unknown][] = Object.entries(element.writtenAttributes).map(([written, value]) => {
    const local = written.slice(written.indexOf(':') + 1);
    return [nameIn(written, local, properties), value];
  });
  for (const child of element.children) {
    const name = nameIn(child.written, child.name, properties);
    fields.push([name, valueOfXml(child, properties?.[name])]);
  }
  return Object.fromEntries(fields);
}

/** The declared name that a written one means: itself, or the only declared one with the same local part. */
function nameIn(written: string, local: string, declared: Record<string, TSchema> | undefined): string {
  if (!declared || Object.hasOwn(declared, written)) return written;
  if (Object.hasOwn(declared, local) && !written.includes(':')) return local;
  const ends = Object.keys(declared).filter(name => name.slice(name.indexOf(':') + 1) === local);
  const prefixed = ends.filter(name => name.includes(':'));
  if (written.includes(':'))
    return prefixed.length === 1 ? must(prefixed[0], 'prefixed is not empty') : (ends[0] ?? written);
  return ends.length === 1 ? must(ends[0], 'ends is not empty') : written;
}

const propertiesOf = (shape: TSchema | undefined) => nodeOf(shape).properties;

/** The part of a shape that says most about its content: of alternatives, the first that is no plain value. */
function nodeOf(shape: TSchema | undefined): Node {
  const node = (shape ?? {}) as Node;
  if (!node.anyOf) return node;
  const parts = node.anyOf.map(nodeOf);
  return (
    parts.find(part => part.type === 'object' || part.type === 'array' || part.patternProperties) ??
    parts[0] ??
    {}
  );
}
