import { type Database, fromSqlBool, fromSqlTime, type RowOf } from '@folsom/db';
import type { Image, ImageStatus, Member } from '../image.ts';

/** A row of `images` as the driver gives it. */
export type ImageRow = RowOf<'images'>;

const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : String(value);

/** Reads a row of `images`; properties are attached by the caller. */
export function imageOf(row: ImageRow, properties: Record<string, string | null> = {}): Image {
  return {
    id: row.id,
    name: text(row.name),
    size: row.size === null || row.size === undefined ? null : Number(row.size),
    status: row.status as ImageStatus,
    is_public: fromSqlBool(row.is_public),
    location: text(row.location),
    created_at: fromSqlTime(row.created_at) ?? 0,
    updated_at: fromSqlTime(row.updated_at),
    deleted_at: fromSqlTime(row.deleted_at),
    deleted: fromSqlBool(row.deleted),
    disk_format: text(row.disk_format),
    container_format: text(row.container_format),
    checksum: text(row.checksum),
    owner: text(row.owner),
    min_disk: Number(row.min_disk ?? 0),
    min_ram: Number(row.min_ram ?? 0),
    protected: fromSqlBool(row.protected),
    properties,
  };
}

export const memberOf = (row: RowOf<'image_members'>): Member => ({
  image_id: String(row.image_id),
  member: String(row.member),
  can_share: fromSqlBool(row.can_share),
});

/** Either the database itself or a transaction on it. */
export type Executor = Database['knex'] | Parameters<Parameters<Database['transaction']>[0]>[0];
