import {
  type ContainerDb,
  type ContainerStat,
  listingAnswer,
  listingType,
  mergeMetadata,
  metadataHeaders,
  metadataOf,
  openToRead,
  openToWrite,
  readListingQuery,
  timeOf,
} from '@folsom/container-db';
import { must } from '@folsom/core';
import { normalizeTimestamp, syncToProblem } from '@folsom/swift';
import { answer, type Headers, type ServerResponse } from '@folsom/swift-http';
import { updateAccount } from './account-update.ts';
import type { ContainerContext, ContainerHandler, ContainerRequest } from './context.ts';
import { makeListing } from './listing.ts';
import { namesOf } from './object-rows.ts';

const statHeaders = (stat: ContainerStat): Headers =>
  new Map([
    ['x-container-object-count', String(stat.object_count)],
    ['x-container-bytes-used', String(stat.bytes_used)],
    ['x-timestamp', stat.created_at],
    ['x-put-timestamp', stat.put_timestamp],
  ]);

const shownHeaders = ({ isSaved }: ContainerContext, db: ContainerDb, stat: ContainerStat): Headers =>
  new Map([...statHeaders(stat), ...metadataHeaders(db.metadata(stat), isSaved)]);

function badSyncTo(
  { allowedSyncHosts, storagePorts }: ContainerContext,
  { headers, http }: ContainerRequest,
): ServerResponse | null {
  const to = headers.get('x-container-sync-to');
  const problem = to ? syncToProblem(to, allowedSyncHosts, storagePorts) : null;
  return problem === null ? null : answer(400, http, { detail: problem });
}

function saveMetadata(
  { isSaved }: ContainerContext,
  { headers, http }: ContainerRequest,
  db: ContainerDb,
  timestamp: string,
): ServerResponse | null {
  const metadata = metadataOf(headers, timestamp, isSaved);
  const target = metadata['X-Container-Sync-To'];
  const moved = target !== undefined && db.metadata()['X-Container-Sync-To']?.[0] !== target[0];
  const refused = mergeMetadata(db, metadata, 'x-container-meta-', http);
  if (!refused && moved) db.setSyncPoints(-1, -1);
  return refused;
}

export const putContainer: ContainerHandler = async (context, request) => {
  const { headers, http } = request;
  const refused = badSyncTo(context, request);
  if (refused) return refused;
  const timestamp = normalizeTimestamp(timeOf(headers));
  let created = !request.open();
  if (created) created = request.store.create(request.path, namesOf(request), timestamp);
  const db = must(request.open(), 'what was just created opens');
  if (!created) {
    await db.commitPending();
    created = db.isDeleted();
    db.updatePutTimestamp(timestamp);
    if (db.isDeleted()) return answer(409, http);
  }
  const overfull = saveMetadata(context, request, db, timestamp);
  if (overfull) return overfull;
  return (await updateAccount(context, request, db)) ?? answer(created ? 201 : 202, http);
};

export const deleteContainer: ContainerHandler = async (context, request) => {
  const { headers, http } = request;
  const db = request.open();
  if (!db) return answer(404, null);
  const timestamp = timeOf(headers);
  await db.commitPending();
  const stat = db.stat();
  if (db.count(stat) > 0) return answer(409, http);
  const existed = Number(stat.put_timestamp) > 0 && !db.isDeleted(stat);
  db.deleteDb(timestamp);
  if (!db.isDeleted()) return answer(409, http);
  return (await updateAccount(context, request, db)) ?? answer(existed ? 204 : 404, http);
};

export const postContainer: ContainerHandler = async (context, request) => {
  const { headers, http } = request;
  const refused = badSyncTo(context, request);
  if (refused) return refused;
  const db = await openToWrite(request.open);
  if (!db) return answer(404, http);
  return saveMetadata(context, request, db, normalizeTimestamp(timeOf(headers))) ?? answer(204, http);
};

export const showContainer: ContainerHandler = async (context, { http, open }) => {
  const opened = await openToRead<ContainerStat, ContainerDb>(open);
  if (!opened) return answer(404, http);
  return answer(204, http, { headers: shownHeaders(context, opened.db, opened.stat) });
};

export const listObjects: ContainerHandler = async (context, request) => {
  const { http, open, query } = request;
  const opened = await openToRead<ContainerStat, ContainerDb>(open);
  if (!opened) return answer(404, http);
  const { db, stat } = opened;
  const listing = readListingQuery(query, http, 'container');
  if ('status' in listing) return listing;
  const type = listingType(query, http);
  const headers = shownHeaders(context, db, stat);
  const text = await context.listings.get(db, `${type} ${query}`, kept =>
    makeListing(open, listing, type, namesOf(request).container, kept),
  );
  return listingAnswer(http, headers, type, text);
};
