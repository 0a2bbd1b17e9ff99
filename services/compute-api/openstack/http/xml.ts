import { must } from '@folsom/core';
import type { XmlElement } from '@folsom/wire';

/** Attributes that say something. */
export const present = (node: XmlElement, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap(name => (node.attributes[name] ? [[name, node.attributes[name]]] : [])));

/** Attributes that are there, empty ones too. */
export const pick = (from: Record<string, string>, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.filter(name => name in from).map(name => [name, must(from[name], 'name is in from')]),
  );
