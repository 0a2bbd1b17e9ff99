import { systemClock } from '@folsom/core';
import type { Database, Knex } from '@folsom/db';
import { WAIT_MS } from './rest.ts';

const PAUSE_MS = 50;

/** A row of nova's that is waited for; a service is asked when there is a chance that it has what one waits for. */
export interface Rows {
  /** Resolves when nothing goes on with a server. */
  serverAtRest(uuid: string): Promise<void>;
  serverGone(uuid: string): Promise<void>;
  /** Resolves when a volume or snapshot is not on its way to another status, or is gone. */
  volumeAtRest(kind: 'volume' | 'snapshot', id: string | number): Promise<void>;
}

/**
 * Waits by looking into the database, where looking costs the services nothing: nova-api of 2012.2 answers some requests in a second, and
 * would do little else than be asked. What the answer is, the services are asked themselves; who waits in vain here is told by them.
 */
export function rowsOf({ knex }: Database): Rows {
  async function none(some: () => Knex.QueryBuilder): Promise<void> {
    const end = systemClock.monotonic() + WAIT_MS;
    while ((await some().first()) !== undefined && systemClock.monotonic() < end)
      await systemClock.sleep(PAUSE_MS);
  }
  const server = (uuid: string) => knex('instances').where({ uuid, deleted: 0 });
  return {
    serverAtRest: uuid => none(() => server(uuid).whereNotNull('task_state')),
    serverGone: uuid => none(() => server(uuid)),
    volumeAtRest: (kind, id) =>
      none(() => knex(`${kind}s`).where('id', id).where('deleted', 0).where('status', 'like', '%ing')),
  };
}
