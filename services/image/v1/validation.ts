import type { Problem } from '@folsom/http/operation';
import Type from 'typebox';
import { httpFault, imageFault } from '../faults.ts';
import { CONTAINER_FORMATS, DISK_FORMATS } from '../image.ts';

/** Fields that are checked; a key that is present with null is checked, too. */
export interface CheckedFields {
  name?: unknown;
  disk_format?: unknown;
  container_format?: unknown;
}

const AMAZON = ['aki', 'ari', 'ami'];
const shown = (value: unknown): string =>
  value === null || value === undefined ? 'None' : `${value}`.slice(0, 255);

/** Checks formats and name and completes the formats of Amazon images. @throws 400 */
export function validateImageFields<T extends CheckedFields>(fields: T): T {
  const { name } = fields;
  const disk = fields.disk_format ?? null;
  const container = fields.container_format ?? null;
  if ('disk_format' in fields && !(DISK_FORMATS as readonly unknown[]).includes(disk)) {
    throw imageFault('InvalidImage', { explanation: `Invalid disk format '${shown(disk)}' for image.` });
  }
  if ('container_format' in fields && !(CONTAINER_FORMATS as readonly unknown[]).includes(container)) {
    throw imageFault('InvalidImage', {
      explanation: `Invalid container format '${shown(container)}' for image.`,
    });
  }
  if (typeof name === 'string' && [...name].length > 255) {
    throw imageFault('InvalidImage', { explanation: `Image name too long: ${[...name].length}` });
  }
  if (AMAZON.includes(disk as string) || AMAZON.includes(container as string)) {
    if (disk === null) fields.disk_format = container;
    else if (container === null) fields.container_format = disk;
    else if (disk !== container) {
      throw imageFault('InvalidImage', {
        explanation:
          'Invalid mix of disk and container formats. When setting a disk or container format to one of ' +
          "'aki', 'ari', or 'ami', the container and disk formats must match.",
      });
    }
  }
  return fields;
}

const badFilter = ({ path, value }: Problem) =>
  httpFault(400, { detail: `Bad value passed to filter ${path.at(-1)} got ${`${value}`.slice(0, 255)}` });
const integerFrom0 = Type.Optional(
  Type.String({ title: 'number', pattern: '^\\s*(\\+?\\d+|-0+)\\s*$', says: badFilter }),
);
const boolean = Type.Optional(
  Type.String({
    title: 'true or false',
    pattern: '^([Nn][Oo][Nn][Ee]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[01])$',
    says: badFilter,
  }),
);
const text = Type.Optional(Type.String());

const LISTED = {
  name: text,
  status: text,
  container_format: text,
  disk_format: text,
  min_ram: integerFrom0,
  min_disk: text,
  size_min: integerFrom0,
  size_max: integerFrom0,
  is_public: boolean,
  'changes-since': text,
  protected: boolean,
  limit: text,
  marker: text,
  sort_key: text,
  sort_dir: text,
};

/** The query of a list, as it goes to the registry: filters, `property-…`, and how to page. Other names are dropped. */
export const listShape = Type.Decode(
  Type.Object(LISTED),
  (query): Record<string, string> =>
    Object.fromEntries(
      Object.entries(query).filter(([name]) => Object.hasOwn(LISTED, name) || name.startsWith('property-')),
    ),
);
