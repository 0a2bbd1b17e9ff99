import { type ContainerDb, type ObjectRow, timeOf } from '@folsom/container-db';
import { must } from '@folsom/core';
import { BATCH_HEADER, normalizeTimestamp } from '@folsom/swift';
import { answer, type ServerResponse } from '@folsom/swift-http';
import type { ContainerContext, ContainerHandler, ContainerRequest } from './context.ts';

/** The names of a container's database. */
export const namesOf = ({
  account,
  container,
}: ContainerRequest): { account: string; container: string } => ({
  account,
  container: must(container, 'a container server is asked for containers'),
});

/** The container of an object, which comes into being with it in accounts of the services themselves. */
function containerOf(
  { autoCreateAccountPrefix }: ContainerContext,
  request: ContainerRequest,
): ContainerDb | null {
  const db = request.open();
  if (db || !request.account.startsWith(autoCreateAccountPrefix)) return db;
  request.store.create(request.path, namesOf(request), normalizeTimestamp(timeOf(request.headers)));
  return request.open();
}

/** The row that a request about an object brings and where it belongs; or why there is none. */
export function rowOf(
  context: ContainerContext,
  request: ContainerRequest,
): { db: ContainerDb; row: ObjectRow } | ServerResponse {
  const { headers, method } = request;
  const db = containerOf(context, request);
  if (!db) return answer(404, null);
  const name = must(request.object, 'only updates come here');
  const created_at = normalizeTimestamp(timeOf(headers));
  if (method === 'DELETE') {
    return {
      db,
      row: { name, created_at, size: 0, content_type: 'application/deleted', etag: 'noetag', deleted: 1 },
    };
  }
  const told = (header: string): string =>
    must(headers.get(header), 'a request was checked for the headers it must have');
  const content_type = Buffer.from(told('x-content-type'), 'latin1').toString('utf8');
  return {
    db,
    row: { name, created_at, size: Number(told('x-size')), content_type, etag: told('x-etag'), deleted: 0 },
  };
}

/** Notes an object in the listing, or that it is gone. */
export const takeObject: ContainerHandler = async (context, request) => {
  const taken = rowOf(context, request);
  if ('status' in taken) return taken;
  await taken.db.put([taken.row]);
  return answer(taken.row.deleted ? 204 : 201, request.http, { headers: [[BATCH_HEADER, 'true']] });
};
