import { must } from '@folsom/core';
import { type Database, type Knex, paginate } from '@folsom/db';
import type { Image } from '../image.ts';
import { loadProperties } from './properties.ts';
import { type ImageRow, imageOf } from './rows.ts';
import { sqlTime } from './time.ts';

/** Columns lists may be sorted and filtered by. */
export const SORTABLE = [
  'name',
  'status',
  'container_format',
  'disk_format',
  'size',
  'id',
  'created_at',
  'updated_at',
  'owner',
  'checksum',
  'min_disk',
  'min_ram',
  'is_public',
  'protected',
  'deleted',
  'deleted_at',
] as const;

export type SortKey = (typeof SORTABLE)[number];

const NEVER_NULL: ReadonlySet<SortKey> = new Set(['id', 'created_at', 'status']);

/** Whose eyes a list is made for: an administrator's, or those of an owner (null: nobody's, who sees what is public). */
export type Viewer = { isAdmin: boolean; owner: string | null };

export interface ImageQuery {
  /** Others than administrators get nothing beyond public, own and shared images, whatever else is asked for. */
  viewer: Viewer;
  /** undefined: all the viewer may see; true: public, own and shared; false: those that are not public. */
  isPublic: boolean | undefined;
  /** undefined: both. */
  deleted: boolean | undefined;
  /** Milliseconds; only images changed later. */
  changesSince?: number;
  /** Exact values by column. */
  equals?: Readonly<Record<string, string | number | boolean>>;
  /** Lower and upper bounds by column, both included. */
  atLeast?: Readonly<Record<string, number>>;
  atMost?: Readonly<Record<string, number>>;
  /** Images that have all these properties with these values. */
  properties?: Readonly<Record<string, string>>;
  sortKey: SortKey;
  sortDir: 'asc' | 'desc';
  /** Id of the last image of the page before; must exist. */
  marker?: string;
  limit: number;
}

/** One page of images with their properties: two queries whatever the number. */
export async function listImages(db: Database, query: ImageQuery): Promise<Image[]> {
  if (query.limit === 0) return [];
  const { knex } = db;
  const keys = [...new Set<SortKey>([query.sortKey, 'created_at', 'id'])];
  let after: unknown[] | undefined;
  if (query.marker !== undefined) {
    const marker = await knex('images').where({ id: query.marker }).first();
    if (!marker) return [];
    after = keys.map(key => marker[key]);
  }
  const page = (select: Knex.QueryBuilder): Knex.QueryBuilder =>
    paginate(
      select,
      keys.map(key => ({
        column: `images.${key}`,
        direction: query.sortDir,
        nullable: !NEVER_NULL.has(key),
      })),
      after,
      query.limit,
    );
  const pages = waysToSee(knex, query).map(seen => page(filtered(db, query, seen.select('images.*'))));
  const [only] = pages;
  const rows = (await (pages.length === 1 && only !== undefined
    ? only
    : page(knex.from(unionOf(knex, pages).as('images')).select('images.*')))) as ImageRow[];
  const properties = await loadProperties(
    knex,
    rows.map(row => row.id),
  );
  return rows.map(row => imageOf(row, properties.get(row.id)));
}

/**
 * The images a viewer may see, by each way to see one: public, own, shared; each image in one of them. Apart, since each has an index
 * that is in the order of the list: one condition for all reads past everybody else's.
 */
function waysToSee(knex: Knex, { viewer, isPublic }: ImageQuery): Knex.QueryBuilder[] {
  const images = () => knex('images');
  if (viewer.isAdmin && isPublic !== true) return [images()];
  const { owner } = viewer;
  if (owner === null) return [images().where('images.is_public', 1)];
  const shared = knex('image_members').select('image_id').where({ member: owner, deleted: 0 });
  return [
    images().where('images.is_public', 1),
    images().where('images.is_public', 0).where('images.owner', owner),
    images()
      .where('images.is_public', 0)
      .where(other => void other.whereNull('images.owner').orWhereNot('images.owner', owner))
      .whereIn('images.id', shared),
  ];
}

/** The rows of several queries. */
const unionOf = (knex: Knex, queries: readonly Knex.QueryBuilder[]): Knex.QueryBuilder => {
  const [first, ...others] = queries.map(query => knex.from(query.as('part')).select('*'));
  return must(first, 'there is a way to see images').unionAll(others);
};

/** The query's conditions beside who may see what. */
function filtered(db: Database, query: ImageQuery, select: Knex.QueryBuilder): Knex.QueryBuilder {
  const { knex } = db;
  if (query.isPublic === false) select.where('images.is_public', 0);
  if (query.changesSince !== undefined)
    select.where('images.updated_at', '>', sqlTime(db, query.changesSince));
  if (query.deleted !== undefined) {
    select.where('images.deleted', query.deleted ? 1 : 0);
    if (!query.deleted) select.whereNot('images.status', 'killed');
  }
  for (const [column, value] of Object.entries(query.equals ?? {})) {
    select.where(`images.${column}`, typeof value === 'boolean' ? (value ? 1 : 0) : value);
  }
  for (const [column, value] of Object.entries(query.atLeast ?? {}))
    select.where(`images.${column}`, '>=', value);
  for (const [column, value] of Object.entries(query.atMost ?? {}))
    select.where(`images.${column}`, '<=', value);
  for (const [name, value] of Object.entries(query.properties ?? {})) {
    select.whereExists(
      knex('image_properties')
        .select(knex.raw('1'))
        .whereRaw('image_properties.image_id = images.id')
        .where('name', name)
        .where('value', value)
        .where('image_properties.deleted', 0),
    );
  }
  return select;
}
