import { isSecretName, isTargetName, MASK, maskTarget, maskText } from './masking.ts';

/** How a field of a name is written. */
interface Shape {
  /** `,"name":` */
  head: string;
  secret: boolean;
  target: boolean;
}

/** Names of fields are few and come again with every line. */
const shapes = new Map<string, Shape>();
const SHAPES_MAX = 2000;

function shapeOf(name: string): Shape {
  const found = shapes.get(name);
  if (found) return found;
  const shape = {
    head: `,${JSON.stringify(name)}:`,
    secret: isSecretName(name),
    target: isTargetName(name),
  };
  if (shapes.size < SHAPES_MAX) shapes.set(name, shape);
  return shape;
}

/**
 * Fields as `JSON.stringify(maskSecrets(fields))` writes them, a comma before each, at a third of its cost: nearly every line is
 * of such. Null where it takes more than this: values with parts, large numbers.
 */
export function fieldsText(fields: Readonly<Record<string, unknown>>): string | null {
  let out = '';
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    const { head, secret, target } = shapeOf(name);
    if (value === null) out += `${head}null`;
    else if (secret && value !== '') out += `${head}"${MASK}"`;
    else if (typeof value === 'string')
      out += head + JSON.stringify(target ? maskTarget(value) : maskText(value));
    else if (typeof value === 'number') out += head + (Number.isFinite(value) ? String(value) : 'null');
    else if (typeof value === 'boolean') out += head + String(value);
    else return null;
  }
  return out;
}
