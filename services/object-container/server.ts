import {
  ContainerDb,
  type ContainerStat,
  type DbHandler,
  type DbRequest,
  type DbServerConf,
  type DbServerOptions,
  dbServerConf,
  listingAnswer,
  listingType,
  mergeMetadata,
  metadataHeaders,
  metadataOf,
  type ObjectRow,
  openToRead,
  openToWrite,
  readListingQuery,
  startDbServer,
  timeOf,
} from '@folsom/container-db';
import type { RunningService } from '@folsom/core';
import { must } from '@folsom/core';
import {
  BATCH_HEADER,
  type ConfSection,
  normalizeTimestamp,
  STORAGE_PORTS,
  syncToProblem,
} from '@folsom/swift';
import {
  answer,
  createInternalClient,
  type Headers,
  internalText,
  quotePath,
  type ServerResponse,
} from '@folsom/swift-http';

import { makeListing } from './listing.ts';
import { listingCache } from './listing-cache.ts';
import { takeUpdates } from './updates.ts';

/** What only container-server.conf has. */
export interface ContainerServerConf extends DbServerConf {
  /** Containers may keep older versions of their objects elsewhere. */
  allowVersions: boolean;
  allowedSyncHosts: readonly string[];
  /** Limits for telling the account server. */
  connectTimeoutMs: number;
  nodeTimeoutMs: number;
}

export interface ContainerServerOptions extends ContainerServerConf, DbServerOptions {
  /** Ports of storage servers, besides the usual ones and our own: no container is synced there. */
  storagePorts?: readonly number[];
}

export const containerServerConf = (app: ConfSection): ContainerServerConf => ({
  ...dbServerConf(app),
  allowVersions: app.bool('allow_versions', false),
  allowedSyncHosts: app.list('allowed_sync_hosts', []),
  connectTimeoutMs: app.float('conn_timeout', 0.5) * 1000,
  nodeTimeoutMs: app.float('node_timeout', 3) * 1000,
});

const SAVED = ['x-container-read', 'x-container-write', 'x-container-sync-key', 'x-container-sync-to'];

const statHeaders = (stat: ContainerStat): Headers =>
  new Map([
    ['x-container-object-count', String(stat.object_count)],
    ['x-container-bytes-used', String(stat.bytes_used)],
    ['x-timestamp', stat.created_at],
    ['x-put-timestamp', stat.put_timestamp],
  ]);

type Request = DbRequest<ContainerDb>;

/** Starts swift's container server: the objects of each container. */
export async function startContainerServer(options: ContainerServerOptions): Promise<RunningService> {
  const { world } = options;
  const client = createInternalClient(world, options.local);
  const listings = listingCache();
  const log = world.log.child({ service: 'swift-container-server' });
  const saved = new Set(options.allowVersions ? [...SAVED, 'x-versions-location'] : SAVED);
  const isSaved = (name: string): boolean => saved.has(name) || name.startsWith('x-container-meta-');

  /** Tells the account server named in the request; an answer if that one does not know the account. */
  const updateAccount = async (request: Request, db: ContainerDb): Promise<ServerResponse | null> => {
    const { headers } = request;
    const host = headers.get('x-account-host');
    const partition = headers.get('x-account-partition');
    const device = headers.get('x-account-device');
    if (!host || !partition || !device) return null;
    await db.commitPending();
    const stat = db.stat();
    const colon = host.lastIndexOf(':');
    const told: [string, string][] = [
      ['X-Put-Timestamp', stat.put_timestamp],
      ['X-Delete-Timestamp', stat.delete_timestamp],
      ['X-Object-Count', String(stat.object_count)],
      ['X-Bytes-Used', String(stat.bytes_used)],
      ['X-Trans-Id', headers.get('x-trans-id') ?? '-'],
    ];
    if (headers.get('x-account-override-deleted')?.toLowerCase() === 'yes')
      told.push(['X-Account-Override-Deleted', 'yes']);
    try {
      const response = await client.request(
        { ip: host.slice(0, colon), port: Number(host.slice(colon + 1)) },
        {
          method: 'PUT',
          path: quotePath(`/${device}/${partition}/${request.account}/${request.container}`),
          headers: told,
          connectTimeoutMs: options.connectTimeoutMs,
          timeoutMs: options.nodeTimeoutMs,
        },
      );
      await internalText(response);
      if (response.status === 404) return answer(404, request.http);
      if (response.status >= 300) {
        log.error('account update refused; the updater will try again', {
          host,
          device,
          status: response.status,
        });
      }
    } catch (error) {
      log.error('account update failed; the updater will try again', { host, device, error });
    }
    return null;
  };

  const makeFor = (request: Request): ContainerDb | null => {
    let db = request.open();
    if (!db && request.object !== undefined && request.account.startsWith(options.autoCreateAccountPrefix)) {
      const timestamp = normalizeTimestamp(timeOf(request.headers));
      request.store.create(
        request.path,
        {
          account: request.account,
          container: must(request.container, 'a container server is asked for containers'),
        },
        timestamp,
      );
      db = request.open();
    }
    return db;
  };

  /** The row that a request about an object brings and where it belongs; or why there is none. */
  const rowOf = (request: Request): { db: ContainerDb; row: ObjectRow } | ServerResponse => {
    const { headers, http, method } = request;
    const db = makeFor(request);
    if (!db) return answer(404, null);
    const name = must(request.object, 'only updates come here');
    const created_at = normalizeTimestamp(timeOf(headers));
    if (method === 'DELETE') {
      return {
        db,
        row: { name, created_at, size: 0, content_type: 'application/deleted', etag: 'noetag', deleted: 1 },
      };
    }
    const size = headers.get('x-size') ?? '';
    const type = headers.get('x-content-type');
    const etag = headers.get('x-etag');
    if (!/^\d{1,16}$/.test(size) || type === undefined || etag === undefined) {
      return answer(400, http, { body: 'Missing object statistics', contentType: 'text/plain' });
    }
    const content_type = Buffer.from(type, 'latin1').toString('utf8');
    return { db, row: { name, created_at, size: Number(size), content_type, etag, deleted: 0 } };
  };

  const takeObject: DbHandler<ContainerDb> = async request => {
    const taken = rowOf(request);
    if ('status' in taken) return taken;
    await taken.db.put([taken.row]);
    return answer(taken.row.deleted ? 204 : 201, request.http, { headers: [[BATCH_HEADER, 'true']] });
  };

  const badSyncTo = (request: Request): ServerResponse | null => {
    const to = request.headers.get('x-container-sync-to');
    const storagePorts = [...STORAGE_PORTS, options.port, ...(options.storagePorts ?? [])];
    const problem = to ? syncToProblem(to, options.allowedSyncHosts, storagePorts) : null;
    return problem === null ? null : answer(400, request.http, { detail: problem });
  };

  const saveMetadata = (request: Request, db: ContainerDb, timestamp: string): ServerResponse | null => {
    const metadata = metadataOf(request.headers, timestamp, isSaved);
    const target = metadata['X-Container-Sync-To'];
    const moved = target !== undefined && db.metadata()['X-Container-Sync-To']?.[0] !== target[0];
    const refused = mergeMetadata(db, metadata, 'x-container-meta-', request.http);
    if (!refused && moved) db.setSyncPoints(-1, -1);
    return refused;
  };

  const put: DbHandler<ContainerDb> = async request => {
    const { headers, http } = request;
    if (request.object !== undefined) return takeObject(request);
    const refused = badSyncTo(request);
    if (refused) return refused;
    const timestamp = normalizeTimestamp(timeOf(headers));
    let created = !request.open();
    if (created) {
      created = request.store.create(
        request.path,
        {
          account: request.account,
          container: must(request.container, 'a container server is asked for containers'),
        },
        timestamp,
      );
    }
    const db = must(request.open(), 'what was just created opens');
    if (!created) {
      await db.commitPending();
      created = db.isDeleted();
      db.updatePutTimestamp(timestamp);
      if (db.isDeleted()) return answer(409, http);
    }
    const overfull = saveMetadata(request, db, timestamp);
    if (overfull) return overfull;
    return (await updateAccount(request, db)) ?? answer(created ? 201 : 202, http);
  };

  const remove: DbHandler<ContainerDb> = async request => {
    const { headers, http } = request;
    if (request.object !== undefined) return takeObject(request);
    const db = request.open();
    if (!db) return answer(404, null);
    const timestamp = timeOf(headers);
    await db.commitPending();
    const stat = db.stat();
    if (db.count(stat) > 0) return answer(409, http);
    const existed = Number(stat.put_timestamp) > 0 && !db.isDeleted(stat);
    db.deleteDb(timestamp);
    if (!db.isDeleted()) return answer(409, http);
    return (await updateAccount(request, db)) ?? answer(existed ? 204 : 404, http);
  };

  const post: DbHandler<ContainerDb> = async request => {
    const { headers, http } = request;
    const refused = badSyncTo(request);
    if (refused) return refused;
    const db = await openToWrite(request.open);
    if (!db) return answer(404, http);
    return saveMetadata(request, db, normalizeTimestamp(timeOf(headers))) ?? answer(204, http);
  };

  const head: DbHandler<ContainerDb> = async ({ http, open }) => {
    const opened = await openToRead<ContainerStat, ContainerDb>(open);
    if (!opened) return answer(404, http);
    const { db, stat } = opened;
    const headers = statHeaders(stat);
    for (const [name, value] of metadataHeaders(db.metadata(stat), isSaved)) headers.set(name, value);
    return answer(204, http, { headers });
  };

  const get: DbHandler<ContainerDb> = async ({ http, open, query, container }) => {
    const opened = await openToRead<ContainerStat, ContainerDb>(open);
    if (!opened) return answer(404, http);
    const { db, stat } = opened;
    const listing = readListingQuery(query, http, 'container');
    if ('status' in listing) return listing;
    const type = listingType(query, http);
    const headers = statHeaders(stat);
    for (const [name, value] of metadataHeaders(db.metadata(stat), isSaved)) headers.set(name, value);
    const text = await listings.get(db, `${type} ${query}`, kept =>
      makeListing(open, listing, type, must(container, 'a container server is asked for containers'), kept),
    );
    return listingAnswer(http, headers, type, text);
  };

  const service = await startDbServer(
    {
      kind: 'container',
      program: 'swift-container-server',
      Kind: ContainerDb,
      handlers: {
        PUT: { parts: [4, 5], handler: put },
        POST: { parts: [4, 4], handler: post },
        DELETE: { parts: [4, 5], handler: remove },
        HEAD: { parts: [4, 5], handler: head },
        GET: { parts: [4, 5], handler: get },
      },
      batch: requests => takeUpdates(requests, rowOf),
    },
    options,
  );
  return {
    ...service,
    stop: async () => {
      await service.stop();
      client.close();
    },
  };
}
