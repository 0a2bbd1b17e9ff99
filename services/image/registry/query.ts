import type { ImageContext } from '../context.ts';
import { httpFault } from '../faults.ts';
import { isUuidLike } from '../image.ts';
import type { ImageQuery, SortKey } from '../repository/listing.ts';

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

/** Reads the registry's query parameters. Faults are those of the original registry. */
export function registryQuery(
  params: Readonly<Record<string, string>>,
  context: ImageContext,
  limits: PageLimits,
): ImageQuery {
  const equals: Record<string, string | number | boolean> = {};
  for (const name of EXACT_FILTERS) {
    const value = params[name];
    if (value === undefined) continue;
    equals[name] = name.startsWith('min_') && /^-?\d+$/.test(value) ? Number(value) : value;
  }
  if (params.protected !== undefined) {
    const value = booleanOf(params.protected);
    if (value === undefined) throw httpFault(400, { detail: 'protected must be True, or False' });
    equals.protected = value;
  }
  const properties: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) {
    if (name.startsWith('property-')) properties[name.slice('property-'.length)] = value;
  }
  const query: ImageQuery = {
    viewer: context,
    isPublic: context.isAdmin ? publicFilter(params.is_public) : true,
    deleted: false,
    equals,
    atLeast: bound('size', params.size_min),
    atMost: bound('size', params.size_max),
    properties,
    sortKey: sortKey(params.sort_key),
    sortDir: sortDir(params.sort_dir),
    limit: limit(params.limit, limits),
  };
  if (params['changes-since'] !== undefined) {
    const since = parseIsoTime(params['changes-since']);
    if (since === undefined) throw httpFault(400, { detail: 'Unrecognized changes-since value' });
    query.changesSince = since;
    query.deleted = undefined;
  }
  if (context.isAdmin && params.deleted !== undefined) {
    query.deleted = /^\s*(true|on|1|yes|y)\s*$/i.test(params.deleted);
  }
  if (params.marker) {
    if (!isUuidLike(params.marker)) throw httpFault(400, { explanation: 'Invalid marker format' });
    query.marker = params.marker;
  }
  return query;
}

function publicFilter(value: string | undefined): boolean | undefined {
  if (value === undefined) return true;
  if (value.toLowerCase() === 'none') return undefined;
  const parsed = booleanOf(value);
  if (parsed === undefined) throw httpFault(400, { detail: 'is_public must be None, True, or False' });
  return parsed;
}

const booleanOf = (value: string): boolean | undefined => {
  const text = value.toLowerCase();
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  return undefined;
};

function bound(column: string, value: string | undefined): Record<string, number> {
  if (value === undefined) return {};
  if (!/^\s*[+-]?\d+\s*$/.test(value)) {
    throw httpFault(400, { explanation: 'Unable to filter on a range with a non-numeric value.' });
  }
  return { [column]: Number(value) };
}

function sortKey(value: string | undefined): SortKey {
  if (value === undefined) return 'created_at';
  if (!(SORT_KEYS as readonly string[]).includes(value)) {
    throw httpFault(400, { explanation: `Unsupported sort_key. Acceptable values: ${SORT_KEYS.join(', ')}` });
  }
  return value as SortKey;
}

function sortDir(value: string | undefined): 'asc' | 'desc' {
  if (value === undefined || value === 'desc') return 'desc';
  if (value === 'asc') return 'asc';
  throw httpFault(400, { explanation: 'Unsupported sort_dir. Acceptable values: asc, desc' });
}

function limit(value: string | undefined, limits: PageLimits): number {
  if (value === undefined) return Math.min(limits.limit_param_default, limits.api_limit_max);
  if (!/^\s*[+-]?\d+\s*$/.test(value)) throw httpFault(400, { detail: 'limit param must be an integer' });
  const number = Number(value);
  if (number < 0) throw httpFault(400, { detail: 'limit param must be positive' });
  return Math.min(number, limits.api_limit_max);
}

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
