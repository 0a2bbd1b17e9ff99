import { imageFault } from '../faults.ts';
import type { ImageSchema } from './schema.ts';

/** Attributes only the service sets. */
const READ_ONLY = [
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
const RESERVED = ['owner', 'is_public', 'location', 'deleted', 'deleted_at'];
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
/** Of the next release: RFC 6902's form. */
export const LATER_PATCH_MEDIA_TYPE = 'application/openstack-images-v2.1-json-patch';

export interface Change {
  op: 'replace' | 'add' | 'remove';
  name: string;
  isProperty: boolean;
  value: unknown;
}

/** @throws 403 for an attribute a user must not set. */
export function refuseForbiddenName(name: string): void {
  if (READ_ONLY.includes(name))
    throw imageFault('AttributeForbidden', { explanation: `Attribute '${name}' is read-only.` });
  if (RESERVED.includes(name))
    throw imageFault('AttributeForbidden', { explanation: `Attribute '${name}' is reserved.` });
}

/** @throws 400 with what is wrong. */
export function refuseInvalid(schema: ImageSchema, object: unknown): void {
  const problem = schema.problem(object);
  if (problem !== null) {
    throw imageFault('InvalidImage', {
      explanation: `Provided object does not match schema 'image': ${problem}`,
    });
  }
}

/** Reads the operations of a PATCH in Folsom's draft form: `{"replace": "/name", "value": "x"}`. */
export const parsePatch = (body: unknown, schema: ImageSchema): Change[] =>
  operations(body).map(raw => parseOperation(raw, schema));

/**
 * Reads the operations of a PATCH in the later form: `{"op": "replace", "path": "/name", "value": "x"}`. To add is to replace
 * where every image has the attribute. Tags may be named one by one, as programs do that compare two lists.
 *
 * @param tags the image's tags, in the order they were shown
 */
export function parseLaterPatch(body: unknown, schema: ImageSchema, tags: readonly string[]): Change[] {
  let changedTags: string[] | null = null;
  const changes: Change[] = [];
  for (const raw of operations(body)) {
    const { op, path } = raw;
    if (op !== 'replace' && op !== 'add' && op !== 'remove') {
      throw imageFault('InvalidPatch', {
        explanation: 'Operations must be one of "add", "remove", or "replace".',
      });
    }
    const at = typeof path === 'string' ? /^\/tags\/(\d{1,6}|-)$/.exec(path)?.[1] : undefined;
    if (at !== undefined) {
      changedTags ??= [...tags];
      changeTag(changedTags, op, at, raw.value);
      continue;
    }
    const change = parseOperation({ [op]: path, ...('value' in raw ? { value: raw.value } : {}) }, schema);
    changes.push(change.op === 'add' && !change.isProperty ? { ...change, op: 'replace' } : change);
  }
  if (changedTags) {
    refuseInvalid(schema, { tags: changedTags });
    changes.push({ op: 'replace', name: 'tags', isProperty: false, value: changedTags });
  }
  return changes;
}

function changeTag(tags: unknown[], op: Change['op'], at: string, value: unknown): void {
  const index = at === '-' ? tags.length : Number(at);
  if (index > tags.length || (op !== 'add' && index === tags.length)) {
    throw imageFault('PatchConflict', { explanation: `There is no tag number ${at}.` });
  }
  if (op === 'remove') tags.splice(index, 1);
  else tags.splice(index, op === 'add' ? 0 : 1, value);
}

function operations(body: unknown): Record<string, unknown>[] {
  if (!Array.isArray(body)) {
    throw imageFault('InvalidPatch', {
      explanation: 'Request body must be a JSON array of operation objects.',
    });
  }
  return body.map(item => {
    if (item === null || typeof item !== 'object' || Array.isArray(item)) {
      throw imageFault('InvalidPatch', { explanation: 'Operations must be JSON objects.' });
    }
    return item as Record<string, unknown>;
  });
}

function parseOperation(raw: Record<string, unknown>, schema: ImageSchema): Change {
  const ops = (['replace', 'add', 'remove'] as const).filter(name => Object.hasOwn(raw, name));
  const [op] = ops;
  if (ops.length !== 1 || op === undefined) {
    throw imageFault('InvalidPatch', {
      explanation: `Operation objects must contain ${ops.length > 1 ? 'only' : 'exactly'} one member named "add", "remove", or "replace".`,
    });
  }
  const name = parsePointer(raw[op]);
  refuseForbiddenName(name);
  const isProperty = !BASE_ATTRIBUTES.includes(name);
  if (op === 'remove') return { op, name, isProperty, value: undefined };
  if (!Object.hasOwn(raw, 'value')) {
    throw imageFault('InvalidPatch', { explanation: `Operation "${op}" requires a member named "value".` });
  }
  refuseInvalid(schema, { [name]: raw.value });
  return { op, name, isProperty, value: raw.value };
}

/** A JSON pointer of one level, `~1` for a slash and `~0` for a tilde inside. */
function parsePointer(pointer: unknown): string {
  if (typeof pointer !== 'string') {
    throw imageFault('InvalidPatch', { explanation: 'Pointers must be strings.' });
  }
  const bad = (what: string) =>
    imageFault('InvalidPatch', { explanation: `Pointer \`${pointer.slice(0, 255)}\` ${what}.` });
  if (!pointer.startsWith('/')) throw bad('does not start with "/"');
  if (pointer.slice(1).includes('/')) throw bad('contains more than one "/"');
  if (/~(?![01])/.test(pointer)) throw bad('contains "~" not part of a recognized escape sequence');
  const name = pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  if (name === '' || name.length > 255) throw bad('names no attribute');
  return name;
}
