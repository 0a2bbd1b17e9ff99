import { httpFault } from '../faults.ts';
import type { ImageSchema } from './schema.ts';

/** Attributes only the service sets. */
export const READ_ONLY = [
  'created_at',
  'updated_at',
  'status',
  'checksum',
  'size',
  'direct_url',
  'self',
  'file',
  'schema',
];
/** Names that mean something inside and are nobody's to use. */
export const RESERVED = ['owner', 'is_public', 'location', 'deleted', 'deleted_at'];
/** Attributes every image has; all others are its properties. */
export const BASE_ATTRIBUTES = [
  'checksum',
  'created_at',
  'container_format',
  'disk_format',
  'id',
  'min_disk',
  'min_ram',
  'name',
  'size',
  'status',
  'tags',
  'updated_at',
  'visibility',
  'protected',
];

export const PATCH_MEDIA_TYPE = 'application/openstack-images-v2.0-json-patch';

export interface Change {
  op: 'replace' | 'add' | 'remove';
  name: string;
  isProperty: boolean;
  value: unknown;
}

/** @throws Http403 for an attribute a user must not set. */
export function refuseForbiddenName(name: string): void {
  if (READ_ONLY.includes(name)) throw httpFault(403, { explanation: `Attribute '${name}' is read-only.` });
  if (RESERVED.includes(name)) throw httpFault(403, { explanation: `Attribute '${name}' is reserved.` });
}

/** @throws Http400 with what is wrong. */
export function refuseInvalid(schema: ImageSchema, object: unknown): void {
  const problem = schema.problem(object);
  if (problem !== null) {
    throw httpFault(400, { explanation: `Provided object does not match schema 'image': ${problem}` });
  }
}

/** Reads the operations of a PATCH in Folsom's draft form: `{"replace": "/name", "value": "x"}`. */
export function parsePatch(body: unknown, schema: ImageSchema): Change[] {
  if (!Array.isArray(body)) {
    throw httpFault(400, { explanation: 'Request body must be a JSON array of operation objects.' });
  }
  return body.map(item => parseOperation(item, schema));
}

function parseOperation(item: unknown, schema: ImageSchema): Change {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) {
    throw httpFault(400, { explanation: 'Operations must be JSON objects.' });
  }
  const raw = item as Record<string, unknown>;
  const ops = (['replace', 'add', 'remove'] as const).filter(name => Object.hasOwn(raw, name));
  const [op] = ops;
  if (ops.length !== 1 || op === undefined) {
    throw httpFault(400, {
      explanation: `Operation objects must contain ${ops.length > 1 ? 'only' : 'exactly'} one member named "add", "remove", or "replace".`,
    });
  }
  const name = parsePointer(raw[op]);
  refuseForbiddenName(name);
  const isProperty = !BASE_ATTRIBUTES.includes(name);
  if (op === 'remove') return { op, name, isProperty, value: undefined };
  if (!Object.hasOwn(raw, 'value')) {
    throw httpFault(400, { explanation: `Operation "${op}" requires a member named "value".` });
  }
  refuseInvalid(schema, { [name]: raw.value });
  return { op, name, isProperty, value: raw.value };
}

/** A JSON pointer of one level, `~1` for a slash and `~0` for a tilde inside. */
function parsePointer(pointer: unknown): string {
  if (typeof pointer !== 'string') {
    throw httpFault(400, { explanation: 'Pointers must be strings.' });
  }
  const bad = (what: string) =>
    httpFault(400, { explanation: `Pointer \`${pointer.slice(0, 255)}\` ${what}.` });
  if (!pointer.startsWith('/')) throw bad('does not start with "/"');
  if (pointer.slice(1).includes('/')) throw bad('contains more than one "/"');
  if (/~(?![01])/.test(pointer)) throw bad('contains "~" not part of a recognized escape sequence');
  const name = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  if (name === '' || name.length > 255) throw bad('names no attribute');
  return name;
}
