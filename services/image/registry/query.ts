import { must } from '@folsom/core';
import { readerOf } from '@folsom/http/operation';
import Type, { type StaticDecode } from 'typebox';
import type { ImageContext } from '../context.ts';
import { httpFault, imageFault } from '../faults.ts';
import { isUuidLike } from '../image.ts';
import type { ImageQuery } from '../repository/listing.ts';
import { pageLimit, wholeNumber } from '../shapes.ts';

const SORT_KEYS = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
] as const;
const EXACT_FILTERS = ['name', 'status', 'container_format', 'disk_format', 'min_ram', 'min_disk'] as const;

export interface PageLimits {
  limit_param_default: number;
  api_limit_max: number;
}

const text = Type.Optional(Type.String());
/** `min_ram=512`; what is no number is compared as a text, and found nowhere. */
const numberOrText = Type.Optional(
  Type.Decode(Type.String(), value => (/^-?\d+$/.test(value) ? Number(value) : value)),
);
const bound = Type.Optional(
  wholeNumber(() => httpFault(400, { explanation: 'Unable to filter on a range with a non-numeric value.' })),
);
const oneOf = <const Value extends string>(values: readonly Value[], explanation: string) =>
  Type.Optional(
    Type.Union(
      values.map(value => Type.Literal(value)),
      { says: () => httpFault(400, { explanation }) },
    ),
  );

/** The registry's query, read. Faults are those of the original registry. */
export const registryQueryShape = Type.Decode(
  Type.Object({
    name: text,
    status: text,
    container_format: text,
    disk_format: text,
    min_ram: numberOrText,
    min_disk: numberOrText,
    protected: Type.Optional(
      Type.Decode(
        Type.Refine(
          Type.String({ says: () => httpFault(400, { detail: 'protected must be True, or False' }) }),
          value => booleanOf(value) !== undefined,
        ),
        value => booleanOf(value) === true,
      ),
    ),
    // Looked at for administrators only.
    is_public: text,
    deleted: text,
    size_min: bound,
    size_max: bound,
    sort_key: oneOf(SORT_KEYS, `Unsupported sort_key. Acceptable values: ${SORT_KEYS.join(', ')}`),
    sort_dir: oneOf(['asc', 'desc'], 'Unsupported sort_dir. Acceptable values: asc, desc'),
    limit: Type.Optional(pageLimit('detail')),
    'changes-since': Type.Optional(
      Type.Decode(
        Type.Refine(
          Type.String({ says: () => httpFault(400, { detail: 'Unrecognized changes-since value' }) }),
          value => parseIsoTime(value) !== undefined,
        ),
        value => must(parseIsoTime(value), 'it is a time'),
      ),
    ),
    marker: Type.Optional(
      Type.Refine(
        Type.String({ says: () => httpFault(400, { explanation: 'Invalid marker format' }) }),
        value => value === '' || isUuidLike(value),
      ),
    ),
  }),
  query => ({
    ...query,
    properties: Object.fromEntries(
      Object.entries(query)
        .filter(([name]) => name.startsWith('property-'))
        .map(([name, value]) => [name.slice('property-'.length), value as string]),
    ),
  }),
);

export type RegistryQuery = StaticDecode<typeof registryQueryShape>;

const reader = readerOf(registryQueryShape, 'query', () => imageFault('InvalidQuery'));

/** Reads what glance-api of this process asks. @throws 400 */
export const readRegistryQuery = (params: Readonly<Record<string, string>>): RegistryQuery =>
  reader.read({ ...params }) as RegistryQuery;

/** What to look for in the database. */
export function registryQuery(given: RegistryQuery, context: ImageContext, limits: PageLimits): ImageQuery {
  const equals: Record<string, string | number | boolean> = {};
  for (const name of EXACT_FILTERS) {
    const value = given[name];
    if (value !== undefined) equals[name] = value;
  }
  if (given.protected !== undefined) equals.protected = given.protected;
  const query: ImageQuery = {
    viewer: context,
    isPublic: context.isAdmin ? publicFilter(given.is_public) : true,
    deleted: false,
    equals,
    atLeast: given.size_min === undefined ? {} : { size: given.size_min },
    atMost: given.size_max === undefined ? {} : { size: given.size_max },
    properties: given.properties,
    sortKey: given.sort_key ?? 'created_at',
    sortDir: given.sort_dir ?? 'desc',
    limit: Math.min(given.limit ?? limits.limit_param_default, limits.api_limit_max),
  };
  if (given['changes-since'] !== undefined) {
    query.changesSince = given['changes-since'];
    query.deleted = undefined;
  }
  if (context.isAdmin && given.deleted !== undefined) {
    query.deleted = /^\s*(true|on|1|yes|y)\s*$/i.test(given.deleted);
  }
  if (given.marker) query.marker = given.marker;
  return query;
}

function publicFilter(value: string | undefined): boolean | undefined {
  if (value === undefined) return true;
  if (value.toLowerCase() === 'none') return undefined;
  const parsed = booleanOf(value);
  if (parsed === undefined)
    throw imageFault('InvalidQuery', { detail: 'is_public must be None, True, or False' });
  return parsed;
}

const booleanOf = (value: string): boolean | undefined => {
  const word = value.toLowerCase();
  if (word === 'true' || word === '1') return true;
  if (word === 'false' || word === '0') return false;
  return undefined;
};

/** ISO 8601 as Folsom read it: a date, optionally a time and an offset; UTC when none is given. Milliseconds. */
export function parseIsoTime(text: string): number | undefined {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(
      text.trim(),
    );
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const ms = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`,
  );
  if (Number.isNaN(ms)) return undefined;
  if (zone.toUpperCase() === 'Z') return ms;
  const sign = zone.startsWith('-') ? 1 : -1;
  const digits = zone.replace(/[^\d]/g, '');
  return ms + sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
}
