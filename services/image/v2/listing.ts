import type { ImageContext } from '../context.ts';
import { httpFault } from '../faults.ts';
import { visibleImage } from '../registry/images.ts';
import { findImage } from '../repository/images.ts';
import { type ImageQuery, SORTABLE, type SortKey } from '../repository/listing.ts';
import type { V2Parts } from './parts.ts';

const TEXT_COLUMNS = ['id', 'name', 'status', 'disk_format', 'container_format', 'checksum', 'owner'];
const NUMBER_COLUMNS = ['size', 'min_disk', 'min_ram'];
const BOOLEAN_COLUMNS = ['protected'];

/** Reads the query of a version 2 list. @throws Http400 */
export function listQuery(
  query: URLSearchParams,
  context: ImageContext,
  limits: { limit_param_default: number; api_limit_max: number },
): ImageQuery {
  const params = Object.fromEntries(query);
  const { limit, marker, sort_key = 'created_at', sort_dir = 'desc', visibility, ...filters } = params;
  if (sort_dir !== 'asc' && sort_dir !== 'desc') {
    throw httpFault(400, { explanation: `Invalid sort direction: ${sort_dir.slice(0, 255)}` });
  }
  if (visibility && visibility !== 'public' && visibility !== 'private') {
    throw httpFault(400, { explanation: `Invalid visibility value: ${visibility.slice(0, 255)}` });
  }
  if (!(SORTABLE as readonly string[]).includes(sort_key)) {
    throw httpFault(400, { explanation: 'Sort key supplied was not valid.' });
  }
  const equals: Record<string, string | number | boolean> = {};
  const properties: Record<string, string> = {};
  const atLeast: Record<string, number> = {};
  const atMost: Record<string, number> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (name === 'is_public' || name === 'deleted') continue;
    const range = /^(.+)_(min|max)$/.exec(name);
    if (range) {
      const column = range[1]!;
      if (!/^\s*[+-]?\d+\s*$/.test(value) || !NUMBER_COLUMNS.includes(column)) {
        throw httpFault(400, { explanation: 'Unable to filter on a range with a non-numeric value.' });
      }
      (range[2] === 'min' ? atLeast : atMost)[column] = Number(value);
    } else if (TEXT_COLUMNS.includes(name)) equals[name] = value;
    else if (NUMBER_COLUMNS.includes(name)) equals[name] = leadingInteger(value);
    // Folsom hands the text to the database, which compares numbers: `true` counts as 0, only `1` means yes.
    else if (BOOLEAN_COLUMNS.includes(name)) equals[name] = leadingInteger(value);
    else properties[name] = value;
  }
  return {
    viewer: context,
    isPublic: visibility === undefined || visibility === '' ? true : visibility === 'public',
    deleted: false,
    equals,
    atLeast,
    atMost,
    properties,
    sortKey: sort_key as SortKey,
    sortDir: sort_dir,
    ...(marker === undefined ? {} : { marker }),
    limit: pageLimit(limit, limits),
  };
}

const leadingInteger = (text: string): number => {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? 0 : number;
};

function pageLimit(
  text: string | undefined,
  limits: { limit_param_default: number; api_limit_max: number },
): number {
  if (text === undefined) return Math.min(limits.limit_param_default, limits.api_limit_max);
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw httpFault(400, { explanation: 'limit param must be an integer' });
  const number = Number(text);
  if (number < 0) throw httpFault(400, { explanation: 'limit param must be positive' });
  return Math.min(number, limits.api_limit_max);
}

/** @throws Http400 for a marker the caller cannot see. */
export async function requireMarker(parts: V2Parts, context: ImageContext, marker: string): Promise<void> {
  const found =
    (await visibleImage(parts, context, marker)) &&
    (await findImage(parts.db, marker, { withDeleted: context.isAdmin }));
  if (!found) throw httpFault(400, { explanation: `No image found with ID ${marker.slice(0, 255)}` });
}
