import { must } from '@folsom/core';
import { answer, type Headers, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import type { ListingType } from './listing-request.ts';

/** Readers take stale rows rather than wait longer than this for the pending file. */
const STALE_AFTER_MS = 100;

/** The time of a request that writes, which was checked before. */
export const timeOf = (headers: Headers): string =>
  must(headers.get('x-timestamp'), 'a request that writes was checked for its timestamp');

/** What account and container databases have in common besides their file. */
interface Deletable<Stat> {
  commitPending(waitMs?: number, stale?: boolean): Promise<void>;
  stat(): Stat;
  isDeleted(stat?: Stat): boolean;
}

/** The database for reading, with its numbers; null where there is none, or a deleted one. */
export async function openToRead<Stat, Db extends Deletable<Stat>>(
  open: () => (Db & Deletable<Stat>) | null,
): Promise<{ db: Db; stat: Stat } | null> {
  const db = open();
  if (!db) return null;
  await db.commitPending(STALE_AFTER_MS, true);
  const stat = db.stat();
  return db.isDeleted(stat) ? null : { db, stat };
}

/** The database for writing, with what was pending in it; null where there is none, or a deleted one. */
export async function openToWrite<Db extends Deletable<unknown>>(open: () => Db | null): Promise<Db | null> {
  const db = open();
  await db?.commitPending();
  return db?.isDeleted() === false ? db : null;
}

/** A listing with its headers; an empty text is no content. */
export function listingAnswer(
  http: ServerRequest,
  headers: Headers,
  type: ListingType,
  body: Buffer,
): ServerResponse {
  if (body.length === 0) return answer(204, http, { headers });
  headers.set('content-type', `${type}; charset=utf-8`);
  headers.set('content-length', String(body.length));
  return { status: 200, headers, body };
}
