import { must } from '@folsom/core';
import type { Problem } from '@folsom/http/operation';
import Type, { type StaticDecode } from 'typebox';
import type { ImageContext } from '../context.ts';
import { httpFault, imageFault } from '../faults.ts';
import { visibleImage } from '../registry/images.ts';
import { findImage } from '../repository/images.ts';
import { type ImageQuery, SORTABLE } from '../repository/listing.ts';
import { pageLimit } from '../shapes.ts';
import type { V2Parts } from './parts.ts';

const TEXT_COLUMNS = ['id', 'name', 'status', 'disk_format', 'container_format', 'checksum', 'owner'];
const NUMBER_COLUMNS = ['size', 'min_disk', 'min_ram'];
const BOOLEAN_COLUMNS = ['protected'];

const says = (explanation: (value: string) => string) => ({
  says: ({ value }: Problem) => httpFault(400, { explanation: explanation(`${value}`.slice(0, 255)) }),
});

/** The query of a version 2 list: how to page and sort, and filters by any name. */
export const listShape = Type.Decode(
  Type.Object({
    sort_dir: Type.Optional(
      Type.Union(
        [Type.Literal('asc'), Type.Literal('desc')],
        says(value => `Invalid sort direction: ${value}`),
      ),
    ),
    visibility: Type.Optional(
      Type.Union(
        [Type.Literal('public'), Type.Literal('private'), Type.Literal('')],
        says(value => `Invalid visibility value: ${value}`),
      ),
    ),
    sort_key: Type.Optional(
      Type.Union(
        SORTABLE.map(key => Type.Literal(key)),
        says(() => 'Sort key supplied was not valid.'),
      ),
    ),
    limit: Type.Optional(pageLimit('explanation')),
    marker: Type.Optional(Type.String()),
  }),
  ({ limit, marker, sort_key, sort_dir, visibility, ...filters }) => ({
    limit,
    marker,
    sortKey: sort_key ?? ('created_at' as const),
    sortDir: sort_dir ?? ('desc' as const),
    isPublic: visibility === undefined || visibility === '' ? true : visibility === 'public',
    ...filtersOf(filters),
  }),
);

export type ListQuery = StaticDecode<typeof listShape>;

/** Everything that is no page: columns, ranges of numbers, else properties. */
function filtersOf(filters: Readonly<Record<string, string>>) {
  const equals: Record<string, string | number | boolean> = {};
  const properties: Record<string, string> = {};
  const atLeast: Record<string, number> = {};
  const atMost: Record<string, number> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (name === 'is_public' || name === 'deleted') continue;
    const range = /^(.+)_(min|max)$/.exec(name);
    if (range) {
      const column = must(range[1], 'the pattern has group 1');
      if (!/^\s*[+-]?\d+\s*$/.test(value) || !NUMBER_COLUMNS.includes(column)) {
        throw imageFault('InvalidQuery', {
          explanation: 'Unable to filter on a range with a non-numeric value.',
        });
      }
      (range[2] === 'min' ? atLeast : atMost)[column] = Number(value);
    } else if (TEXT_COLUMNS.includes(name)) equals[name] = value;
    else if (NUMBER_COLUMNS.includes(name)) equals[name] = leadingInteger(value);
    // Folsom hands the text to the database, which compares numbers: `true` counts as 0, only `1` means yes.
    else if (BOOLEAN_COLUMNS.includes(name)) equals[name] = leadingInteger(value);
    else properties[name] = value;
  }
  return { equals, atLeast, atMost, properties };
}

/** What to look for in the database. */
export const listQuery = (
  { marker, limit, ...query }: ListQuery,
  context: ImageContext,
  limits: { limit_param_default: number; api_limit_max: number },
): ImageQuery => ({
  ...query,
  viewer: context,
  deleted: false,
  ...(marker === undefined ? {} : { marker }),
  limit: Math.min(limit ?? limits.limit_param_default, limits.api_limit_max),
});

const leadingInteger = (text: string): number => {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? 0 : number;
};

/** @throws 400 for a marker the caller cannot see. */
export async function requireMarker(parts: V2Parts, context: ImageContext, marker: string): Promise<void> {
  const found =
    (await visibleImage(parts, context, marker)) &&
    (await findImage(parts.db, marker, { withDeleted: context.isAdmin }));
  if (!found)
    throw imageFault('InvalidMarker', { explanation: `No image found with ID ${marker.slice(0, 255)}` });
}
