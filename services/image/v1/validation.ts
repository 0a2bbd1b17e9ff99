import { httpFault } from '../faults.ts';
import { CONTAINER_FORMATS, DISK_FORMATS } from '../image.ts';

/** Fields that are checked; a key that is present with null is checked, too. */
export interface CheckedFields {
  name?: unknown;
  disk_format?: unknown;
  container_format?: unknown;
}

const AMAZON = ['aki', 'ari', 'ami'];
const shown = (value: unknown): string =>
  value === null || value === undefined ? 'None' : String(value).slice(0, 255);

/** Checks formats and name and completes the formats of Amazon images. @throws Http400 */
export function validateImageFields<T extends CheckedFields>(fields: T): T {
  const { name } = fields;
  const disk = fields.disk_format ?? null;
  const container = fields.container_format ?? null;
  if ('disk_format' in fields && !(DISK_FORMATS as readonly unknown[]).includes(disk)) {
    throw httpFault(400, { explanation: `Invalid disk format '${shown(disk)}' for image.` });
  }
  if ('container_format' in fields && !(CONTAINER_FORMATS as readonly unknown[]).includes(container)) {
    throw httpFault(400, { explanation: `Invalid container format '${shown(container)}' for image.` });
  }
  if (typeof name === 'string' && [...name].length > 255) {
    throw httpFault(400, { explanation: `Image name too long: ${[...name].length}` });
  }
  if (AMAZON.includes(disk as string) || AMAZON.includes(container as string)) {
    if (disk === null) fields.disk_format = container;
    else if (container === null) fields.container_format = disk;
    else if (disk !== container) {
      throw httpFault(400, {
        explanation:
          'Invalid mix of disk and container formats. When setting a disk or container format to one of ' +
          "'aki', 'ari', or 'ami', the container and disk formats must match.",
      });
    }
  }
  return fields;
}

const integerFrom0 = (value: string): boolean => /^\s*[+-]?\d+\s*$/.test(value) && Number(value) >= 0;
const boolean = (value: string): boolean => ['none', 'true', 'false', '1', '0'].includes(value.toLowerCase());

const CHECKS: Record<string, (value: string) => boolean> = {
  size_max: integerFrom0,
  size_min: integerFrom0,
  min_ram: integerFrom0,
  protected: boolean,
  is_public: boolean,
};

const FILTERS = new Set([
  'name',
  'status',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
  'size_min',
  'size_max',
  'is_public',
  'changes-since',
  'protected',
]);
const PARAMS = ['limit', 'marker', 'sort_key', 'sort_dir'];

/** The query parameters of a list that go to the registry. @throws Http400 */
export function listParams(query: URLSearchParams): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, value] of query) {
    if (FILTERS.has(name) || name.startsWith('property-')) params[name] = value;
    else if (PARAMS.includes(name)) params[name] = value;
  }
  for (const [name, value] of Object.entries(params)) {
    if (CHECKS[name] && !CHECKS[name](value)) {
      throw httpFault(400, { detail: `Bad value passed to filter ${name} got ${value.slice(0, 255)}` });
    }
  }
  return params;
}
