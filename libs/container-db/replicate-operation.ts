import { answer, readAll } from '@folsom/swift-http';
import { whileBusy } from './busy.ts';
import type { AnyDb } from './database.ts';
import { replicateDb } from './replication.ts';
import type { DbOperation, DbRequest } from './request.ts';

const REPLICATE_BYTES_MAX = 64 * 1024 * 1024;

async function replicate<Db extends AnyDb>(_: unknown, request: DbRequest<Db>) {
  const { http, world, lease, store } = request;
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  if (!/^[0-9a-f]{32}$/.test(request.hash)) return bad(`Invalid path: ${http.target}`);
  const body = await readAll(http.body, REPLICATE_BYTES_MAX);
  let args: unknown;
  try {
    args = JSON.parse(body?.toString('utf8') ?? '');
  } catch (error) {
    return bad(error instanceof Error ? error.message : 'no JSON');
  }
  const here = {
    at: request,
    store: { open: (path: string) => lease.open(path), create: store.create },
    openFile: request.openFile,
    world,
    request: http,
  };
  return whileBusy(world.clock, () => replicateDb(args, here));
}

/** How another server's replicator brings a database up to date. */
export const replicateOperation = <Db extends AnyDb>(): DbOperation<unknown, Db> => ({
  name: 'ReplicateDatabase',
  about:
    'Compares a database with that of another replica, and takes over its rows, its points of synchronization or the whole file.',
  method: 'REPLICATE',
  path: '/:device/:partition/:hash',
  body: '`[operation, argument, …]` as JSON; the operation is `sync`, `merge_items`, `merge_syncs`, `complete_rsync`, `rsync_then_merge` or, beyond swift, `create`',
  answers: [200, 201, 202, 204],
  refuses: { 408: 'the body does not come', 499: 'the body breaks off' },
  run: replicate,
});
