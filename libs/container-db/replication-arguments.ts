import { parseFloatText } from '@folsom/swift';
import type { SyncPoint } from './database.ts';
import type { Metadata } from './metadata.ts';
import type { DbKindName } from './schema.ts';

/** Columns of the rows that replicas send each other, beside their names. */
const COLUMNS: Readonly<Record<DbKindName, readonly string[]>> = {
  account: ['put_timestamp', 'delete_timestamp', 'object_count', 'bytes_used', 'deleted'],
  container: ['created_at', 'size', 'content_type', 'etag', 'deleted'],
};

type Item = Record<string, unknown>;

const isItem = (value: unknown): value is Item =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
/** What SQLite has in a column: texts and numbers change into each other there. */
const isValue = (value: unknown): boolean => value === null || isText(value) || typeof value === 'number';
const isTime = (value: unknown): boolean =>
  (isText(value) || typeof value === 'number') && parseFloatText(String(value)) !== null;

/** Rows of another replica's database, as `merge_items` brings them; null if they are none. */
export function mergedRows(kind: DbKindName, value: unknown): (Item & { ROWID?: number })[] | null {
  const isRow = (row: unknown): boolean =>
    isItem(row) &&
    isText(row.name) &&
    COLUMNS[kind].every(column => isValue(row[column])) &&
    (row.ROWID === undefined || Number.isSafeInteger(row.ROWID));
  return Array.isArray(value) && value.every(isRow) ? value : null;
}

/** What `merge_syncs` brings; null if it is no list of sync points. */
export function mergedSyncPoints(value: unknown): SyncPoint[] | null {
  const isPoint = (point: unknown): boolean =>
    isItem(point) && isText(point.remote_id) && Number.isSafeInteger(point.sync_point);
  return Array.isArray(value) && value.every(isPoint) ? value : null;
}

/** What a replica says of itself before rows are sent. */
export interface RemoteState {
  row: number;
  hash: string;
  id: string;
  created: string;
  put: string;
  deleted: string;
  metadata: Metadata | null;
}

/** The arguments of `sync`; null if they are not as they must be. */
export function remoteState(args: readonly unknown[]): RemoteState | null {
  const [row, hash, id, created, put, deleted, text] = args;
  if (!Number.isSafeInteger(row) || !isText(hash) || !isText(id)) return null;
  if (![created, put, deleted].every(isTime)) return null;
  const metadata = text === '' || text === null || text === undefined ? null : metadataOf(text);
  if (metadata === undefined) return null;
  const [createdAt, putAt, deletedAt] = [String(created), String(put), String(deleted)];
  return { row: row as number, hash, id, created: createdAt, put: putAt, deleted: deletedAt, metadata };
}

function metadataOf(text: unknown): Metadata | undefined {
  let value: unknown;
  try {
    value = isText(text) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
  const isPair = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2 && pair.every(isText);
  return isItem(value) && Object.values(value).every(isPair) ? (value as Metadata) : undefined;
}
