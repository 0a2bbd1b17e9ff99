import {
  type AccountDb,
  type AccountStat,
  containersAsJson,
  containersAsText,
  containersAsXml,
  type DbHandler,
  type DbRequest,
  type ListedContainer,
  type ListingType,
  listingAnswer,
  listingType,
  listRows,
  mergeMetadata,
  metadataHeaders,
  metadataOf,
  openToRead,
  openToWrite,
  readListingQuery,
  timeOf,
} from '@folsom/container-db';
import { type Clock, must } from '@folsom/core';
import { normalizeTimestamp, timestampOf } from '@folsom/swift';
import { answer, type Headers, type ServerResponse } from '@folsom/swift-http';

/** What the operations of the account server work with. */
export interface AccountContext {
  clock: Clock;
  autoCreateAccountPrefix: string;
  /** How long a deleted account is kept whole, seconds. */
  delayReaping: number;
}

type Handler = DbHandler<AccountContext, AccountDb>;

const META = 'x-account-meta-';

const isTrue = (value: string | undefined): boolean => /^(true|1|yes|on|t|y)$/i.test(value ?? '');

const statHeaders = (stat: AccountStat): Headers =>
  new Map([
    ['x-account-container-count', String(stat.container_count)],
    ['x-account-object-count', String(stat.object_count)],
    ['x-account-bytes-used', String(stat.bytes_used)],
    ['x-timestamp', stat.created_at],
    ['x-put-timestamp', stat.put_timestamp],
  ]);

const shownHeaders = (db: AccountDb, stat: AccountStat): Headers =>
  new Map([...statHeaders(stat), ...metadataHeaders(db.metadata(stat), () => true)]);

const textOf = (type: ListingType, rows: readonly ListedContainer[], account: string): string => {
  if (type === 'application/json') return containersAsJson(rows);
  return type.endsWith('/xml') ? containersAsXml(rows, account) : containersAsText(rows);
};

const declared = (headers: Headers, name: string): string =>
  must(headers.get(name), 'a request was checked for the headers it must have');

/** What a container server tells of a container: how much is in it, or that it is gone. */
export const putContainer: Handler = async (context, request) => {
  const { headers, http, account } = request;
  let db = request.open();
  if (!db && account.startsWith(context.autoCreateAccountPrefix)) {
    request.store.create(request.path, { account }, timestampOf(context.clock.now()));
    db = request.open();
  }
  if (!db) return answer(404, http);
  if (headers.get('x-account-override-deleted')?.toLowerCase() !== 'yes') {
    await db.commitPending(3000);
    if (db.isDeleted()) return answer(404, http);
  }
  const put = declared(headers, 'x-put-timestamp');
  const deleted = declared(headers, 'x-delete-timestamp');
  const objects = Number(declared(headers, 'x-object-count'));
  await db.put([
    {
      name: must(request.container, 'the path names a container'),
      put_timestamp: put,
      delete_timestamp: deleted,
      object_count: objects,
      bytes_used: Number(declared(headers, 'x-bytes-used')),
      deleted: deleted > put && objects === 0 ? 1 : 0,
    },
  ]);
  return answer(deleted > put ? 204 : 201, http);
};

export const putAccount: Handler = async (context, request) => {
  const { headers, http, account } = request;
  const timestamp = normalizeTimestamp(timeOf(headers));
  let created = !request.open();
  if (created) created = request.store.create(request.path, { account }, timestamp);
  const db = must(request.open(), 'what was just created opens');
  if (!created) {
    if (db.isStatusDeleted()) return undelete(context, request, db, timestamp);
    await db.commitPending();
    created = db.isDeleted();
    db.updatePutTimestamp(timestamp);
    if (db.isDeleted()) return answer(409, http);
  }
  const refused = mergeMetadata(db, accountMetadata(headers, timestamp), META, http);
  return refused ?? answer(created ? 201 : 202, http);
};

const accountMetadata = (headers: Headers, timestamp: string) =>
  metadataOf(headers, timestamp, name => name.startsWith(META));

function undelete(
  { clock, delayReaping }: AccountContext,
  { headers, http }: DbRequest<AccountDb>,
  db: AccountDb,
  timestamp: string,
): ServerResponse {
  if (!isTrue(headers.get('x-account-undelete'))) return answer(403, http, { body: 'Recently deleted' });
  const age = clock.now() / 1000 - Number(db.stat().delete_timestamp);
  if (age > delayReaping)
    return answer(409, http, { body: 'Deleted too long ago: what it held is being removed' });
  db.undelete(timestamp);
  return answer(202, http);
}

export const postAccount: Handler = async (_context, { headers, http, open }) => {
  const db = await openToWrite(open);
  if (!db) return answer(404, http);
  const metadata = accountMetadata(headers, normalizeTimestamp(timeOf(headers)));
  return mergeMetadata(db, metadata, META, http) ?? answer(204, http);
};

export const deleteAccount: Handler = async (_context, { headers, http, open }) => {
  const db = await openToWrite(open);
  if (!db) return answer(404, http);
  db.deleteDb(timeOf(headers));
  return answer(204, http);
};

export const showAccount: Handler = async (_context, { http, open, container }) => {
  const opened = await openToRead<AccountStat, AccountDb>(open);
  if (!opened) return answer(404, http);
  const { db, stat } = opened;
  const headers = shownHeaders(db, stat);
  const at = container === undefined ? null : db.containerTimestamp(container);
  if (at !== null) headers.set('x-container-timestamp', at);
  return answer(204, http, { headers });
};

export const listContainers: Handler = async (_context, { http, open, query, account }) => {
  const opened = await openToRead<AccountStat, AccountDb>(open);
  if (!opened) return answer(404, http);
  const { db, stat } = opened;
  const listing = readListingQuery(query, http, 'account');
  if ('status' in listing) return listing;
  const type = listingType(query, http);
  const rows = listRows<ListedContainer>(
    listing,
    (bounds, limit) => db.rowsFrom(bounds, limit),
    name => [name, 0, 0, 1],
  );
  return listingAnswer(http, shownHeaders(db, stat), type, Buffer.from(textOf(type, rows, account)));
};
