import {
  AccountDb,
  type AccountStat,
  containersAsJson,
  containersAsText,
  containersAsXml,
  type DbHandler,
  type DbServerOptions,
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
  startDbServer,
  timeOf,
} from '@folsom/container-db';
import type { RunningService } from '@folsom/core';
import { must } from '@folsom/core';
import { normalizeTimestamp, timestampOf } from '@folsom/swift';
import { answer, type Headers } from '@folsom/swift-http';

export interface AccountServerOptions extends DbServerOptions {
  /** How long a deleted account is kept whole, seconds: the reaper's `delay_reaping`. Default 0. */
  delayReaping?: number;
}

const isTrue = (value: string | undefined): boolean => /^(true|1|yes|on|t|y)$/i.test(value ?? '');

const isMeta = (name: string): boolean => name.startsWith('x-account-meta-');

const statHeaders = (stat: AccountStat): Headers =>
  new Map([
    ['x-account-container-count', String(stat.container_count)],
    ['x-account-object-count', String(stat.object_count)],
    ['x-account-bytes-used', String(stat.bytes_used)],
    ['x-timestamp', stat.created_at],
    ['x-put-timestamp', stat.put_timestamp],
  ]);

const textOf = (type: ListingType, rows: readonly ListedContainer[], account: string): string => {
  if (type === 'application/json') return containersAsJson(rows);
  return type.endsWith('/xml') ? containersAsXml(rows, account) : containersAsText(rows);
};

/** Starts swift's account server: containers per account, with counts. */
export function startAccountServer(options: AccountServerOptions): Promise<RunningService> {
  const { world } = options;

  const put: DbHandler<AccountDb> = async request => {
    const { headers, http, account, container } = request;
    if (container !== undefined) {
      let db = request.open();
      if (!db && account.startsWith(options.autoCreateAccountPrefix)) {
        request.store.create(request.path, { account }, timestampOf(world.clock.now()));
        db = request.open();
      }
      const override = headers.get('x-account-override-deleted')?.toLowerCase() === 'yes';
      if (!db) return answer(404, http);
      if (!override) {
        await db.commitPending(3000);
        if (db.isDeleted()) return answer(404, http);
      }
      const put = headers.get('x-put-timestamp');
      const deleted = headers.get('x-delete-timestamp');
      const objects = Number(headers.get('x-object-count') ?? Number.NaN);
      const bytes = Number(headers.get('x-bytes-used') ?? Number.NaN);
      if (put === undefined || deleted === undefined || Number.isNaN(objects) || Number.isNaN(bytes)) {
        return answer(400, http, { body: 'Missing container statistics', contentType: 'text/plain' });
      }
      await db.put([
        {
          name: container,
          put_timestamp: put,
          delete_timestamp: deleted,
          object_count: objects,
          bytes_used: bytes,
          deleted: deleted > put && objects === 0 ? 1 : 0,
        },
      ]);
      return answer(deleted > put ? 204 : 201, http);
    }
    const timestamp = normalizeTimestamp(timeOf(headers));
    let created = !request.open();
    if (created) created = request.store.create(request.path, { account }, timestamp);
    const db = must(request.open(), 'what was just created opens');
    if (!created) {
      if (db.isStatusDeleted()) {
        if (!isTrue(headers.get('x-account-undelete')))
          return answer(403, http, { body: 'Recently deleted' });
        const age = world.clock.now() / 1000 - Number(db.stat().delete_timestamp);
        if (age > (options.delayReaping ?? 0)) {
          return answer(409, http, { body: 'Deleted too long ago: what it held is being removed' });
        }
        db.undelete(timestamp);
        return answer(202, http);
      }
      await db.commitPending();
      created = db.isDeleted();
      db.updatePutTimestamp(timestamp);
      if (db.isDeleted()) return answer(409, http);
    }
    const metadata = metadataOf(headers, timestamp, isMeta);
    const refused = mergeMetadata(db, metadata, 'x-account-meta-', http);
    if (refused) return refused;
    return answer(created ? 201 : 202, http);
  };

  const post: DbHandler<AccountDb> = async ({ headers, http, open }) => {
    const db = await openToWrite(open);
    if (!db) return answer(404, http);
    const metadata = metadataOf(headers, normalizeTimestamp(timeOf(headers)), isMeta);
    return mergeMetadata(db, metadata, 'x-account-meta-', http) ?? answer(204, http);
  };

  const remove: DbHandler<AccountDb> = async ({ headers, http, open }) => {
    const db = await openToWrite(open);
    if (!db) return answer(404, http);
    db.deleteDb(timeOf(headers));
    return answer(204, http);
  };

  const head: DbHandler<AccountDb> = async ({ http, open, container }) => {
    const opened = await openToRead(open);
    if (!opened) return answer(404, http);
    const { db, stat } = opened;
    const headers = statHeaders(stat);
    if (container !== undefined) {
      const at = db.containerTimestamp(container);
      if (at !== null) headers.set('x-container-timestamp', at);
    }
    for (const [name, value] of metadataHeaders(db.metadata(stat), () => true)) headers.set(name, value);
    return answer(204, http, { headers });
  };

  const get: DbHandler<AccountDb> = async ({ http, open, query, account }) => {
    const opened = await openToRead(open);
    if (!opened) return answer(404, http);
    const { db, stat } = opened;
    const listing = readListingQuery(query, http, 'account');
    if ('status' in listing) return listing;
    const type = listingType(query, http);
    const headers = statHeaders(stat);
    for (const [name, value] of metadataHeaders(db.metadata(stat), () => true)) headers.set(name, value);
    const rows = listRows<ListedContainer>(
      listing,
      (bounds, limit) => db.rowsFrom(bounds, limit),
      name => [name, 0, 0, 1],
    );
    return listingAnswer(http, headers, type, Buffer.from(textOf(type, rows, account)));
  };

  return startDbServer(
    {
      kind: 'account',
      program: 'swift-account-server',
      Kind: AccountDb,
      handlers: {
        PUT: { parts: [3, 4], handler: put },
        POST: { parts: [3, 3], handler: post },
        DELETE: { parts: [3, 3], handler: remove },
        HEAD: { parts: [3, 4], handler: head },
        GET: { parts: [3, 3], handler: get },
      },
    },
    options,
  );
}
