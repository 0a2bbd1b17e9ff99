import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { World } from '@folsom/core';
import { parseFloatText } from '@folsom/swift';
import { type AnsweredRequest, answer, type ServerResponse } from '@folsom/swift-http';
import type { AnyDb } from './database.ts';
import { DbQuarantined } from './quarantine.ts';
import { mergedRows, mergedSyncPoints, remoteState } from './replication-arguments.ts';
import type { DbLease, DbStore } from './store.ts';

const MERGE_STEP = 1000;

/** A database here: where it lies, what opens it, and who asks. */
interface Here {
  at: { deviceDir: string; path: string };
  store: Pick<DbStore<AnyDb>, 'create'> & Pick<DbLease<AnyDb>, 'open'>;
  /** Opens a file that is no database of the store's yet. */
  openFile: (path: string) => AnyDb;
  world: World;
  request: AnsweredRequest;
}

/**
 * The receiving side of database replication: the body of a REPLICATE request, `[operation, ...arguments]`.
 * `at.deviceDir` is where a copied file lies in `tmp`; `at.path` the database in question.
 */
export async function replicateDb(args: unknown, here: Here): Promise<ServerResponse> {
  const { at, store, request } = here;
  if (!Array.isArray(args)) return answer(400, request, { body: 'Invalid object type' });
  const [operation, ...rest] = args as [unknown, ...unknown[]];
  if (operation === 'complete_rsync' || operation === 'rsync_then_merge')
    return takeCopy(here, operation, rest[0]);
  if (operation === 'create') {
    // Ours alone: where rsync is not to be had, an empty database that the rows then follow into.
    const [account, container, put] = rest;
    if (typeof account !== 'string' || typeof put !== 'string' || parseFloatText(put) === null)
      return invalid(request);
    store.create(at.path, { account, ...(typeof container === 'string' ? { container } : {}) }, put);
    return answer(201, request);
  }
  // Somebody may be about to copy a whole database here.
  mkdirSync(join(at.deviceDir, 'tmp'), { recursive: true });
  const db = store.open(at.path);
  return db ? merge(db, operation, rest, request) : answer(404, request);
}

/** A whole database, which was copied to the device's `tmp` under its id, comes to its place; what is here is merged into it. */
async function takeCopy(
  { at, store, openFile, world, request }: Here,
  operation: 'complete_rsync' | 'rsync_then_merge',
  given: unknown,
): Promise<ServerResponse> {
  const id = typeof given === 'string' ? given : '';
  if (!/^[0-9A-Za-z-]{1,64}$/.test(id))
    return answer(400, request, { body: 'Invalid id', contentType: 'text/plain' });
  const copied = join(at.deviceDir, 'tmp', id);
  const here = existsSync(at.path);
  if (!existsSync(copied) || here === (operation === 'complete_rsync')) return answer(404, request);
  const arrived = openFile(copied);
  try {
    if (here) {
      const existing = store.open(at.path);
      await existing?.commitPending();
      for (let point = -1; existing; ) {
        const rows = existing.itemsSince(point, MERGE_STEP);
        if (!rows.length) break;
        arrived.mergeItems(rows);
        point = (rows[rows.length - 1] as unknown as { ROWID: number }).ROWID;
        // A big merge must not hold up every other request.
        await world.clock.sleep(0);
      }
    }
    arrived.newId(id);
  } finally {
    arrived.close();
  }
  mkdirSync(dirname(at.path), { recursive: true });
  renameSync(copied, at.path);
  return answer(204, request);
}

/** What is done with a database that is here. */
async function merge(
  db: AnyDb,
  operation: unknown,
  rest: readonly unknown[],
  request: AnsweredRequest,
): Promise<ServerResponse> {
  switch (operation) {
    case 'sync':
      return sync(db, rest, request);
    case 'merge_items': {
      const [items, source] = rest;
      const rows = mergedRows(db.kind, items);
      if (rows === null || !(source === undefined || source === null || typeof source === 'string'))
        return invalid(request);
      await db.commitPending();
      db.mergeItems(rows, source ?? null);
      return answer(202, request);
    }
    case 'merge_syncs': {
      const points = mergedSyncPoints(rest[0]);
      if (points === null) return invalid(request);
      db.mergeSyncPoints(points);
      return answer(202, request);
    }
    default:
      return answer(400, request, { body: 'Invalid operation', contentType: 'text/plain' });
  }
}

const invalid = (request: AnsweredRequest): ServerResponse =>
  answer(400, request, { body: 'Invalid arguments', contentType: 'text/plain' });

async function sync(db: AnyDb, args: readonly unknown[], request: AnsweredRequest): Promise<ServerResponse> {
  const remote = remoteState(args);
  if (remote === null) return invalid(request);
  const { hash, id, created, put, deleted } = remote;
  try {
    await db.commitPending();
    const info = db.replicationInfo();
    if (remote.metadata) db.updateMetadata(remote.metadata);
    if (info.put_timestamp !== put || info.created_at !== created || info.delete_timestamp !== deleted) {
      db.mergeTimestamps(created, put, deleted);
    }
    let point = db.syncPoint(id, 'incoming');
    if (hash === info.hash && point < remote.row) {
      db.mergeSyncPoints([{ remote_id: id, sync_point: remote.row }]);
      point = remote.row;
    }
    return answer(200, request, { body: JSON.stringify({ ...info, point }) });
  } catch (error) {
    if (error instanceof DbQuarantined) return answer(404, request);
    throw error;
  }
}
