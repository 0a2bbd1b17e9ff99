import { systemClock } from '@folsom/core';
import type { Database, Knex } from '@folsom/db';
import { WAIT_MS } from './rest.ts';

const PAUSE_MS = 50;
const MOVING = ['pre-migrating', 'migrating', 'post-migrating'];

/** A row of nova's that is waited for; a service is asked when there is a chance that it has what one waits for. */
export interface Rows {
  /** Resolves when nothing goes on with a server, nor with a move of it. */
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
  const there = (table: string, where: Record<string, unknown>) =>
    knex(table).where({ ...where, deleted: 0 });
  return {
    serverAtRest: async uuid => {
      await none(() => there('instances', { uuid }).whereNotNull('task_state'));
      // A move is noted as finished after its server, and neither confirmed nor reverted before.
      await none(() => there('migrations', { instance_uuid: uuid }).whereIn('status', MOVING));
    },
    serverGone: uuid => none(() => there('instances', { uuid })),
    volumeAtRest: async (kind, id) => {
      await none(() => there(`${kind}s`, { id }).where('status', 'like', '%ing'));
      if (kind === 'snapshot') return;
      // The host notes how it has attached a volume after that it has, and that the name of the device is free after the volume is.
      const device = () => there('block_device_mapping', { volume_id: id });
      const { status } = (await there('volumes', { id }).first('status')) ?? { status: '' };
      if (status === 'in-use') await none(() => device().whereNull('connection_info'));
      if (status === 'available') await none(device);
    },
  };
}
