import {
  listenToRevocations,
  REVOCATION_METHOD,
  REVOCATION_TOPIC,
  type Revocation,
  type RevocationList,
  type RevocationListener,
  readRevocations,
} from '@folsom/auth';
import { adminContext, type Timer, type World } from '@folsom/core';
import type { Database, Knex } from '@folsom/db';
import type { Bus } from '@folsom/rpc';
import { IDENTITY_LIMITS } from '../limits.ts';

/**
 * Keeps revocations: in a small table that survives restarts, in memory for every check, and on the bus for every other
 * service. Other identity processes on the same database are followed by looking into the table.
 */
export interface RevocationLog {
  readonly list: RevocationList;
  /** The moment a new token counts as issued: later than everything revoked so far. Take it before reading who the user is. */
  issueMoment(): number;
  /** The moment of a revocation: not earlier than any token issued so far. */
  revocationMoment(): number;
  /** Writes revocations in the caller's transaction. They count once {@link publish} is called after the commit. */
  write(trx: Knex, revocations: readonly Revocation[]): Promise<void>;
  publish(revocations: readonly Revocation[]): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Row {
  kind: string;
  subject: string;
  issued_before: number | string;
  revoked_at: number | string;
  expires: number | string;
}

const fromRow = (row: Row): Record<string, unknown> => ({
  kind: row.kind,
  subject: row.subject,
  issuedBefore: Number(row.issued_before),
  revokedAt: Number(row.revoked_at),
  expires: Number(row.expires),
});

/** Rows of a transaction become visible later than their time says: look back this far each time. */
const LOOK_BACK_MS = 5_000;

export function revocationLog(options: {
  db: Database;
  bus: Bus | null;
  world: World;
  host: string;
  list: RevocationList;
}): RevocationLog {
  const { db, bus, world, list } = options;
  const { clock, log } = world;
  let lastIssued = 0;
  let lastRevoked = 0;
  let timer: Timer | undefined;
  let listener: RevocationListener | undefined;
  let looking = false;

  const take = (revocations: readonly Revocation[]) => {
    for (const item of revocations) lastRevoked = Math.max(lastRevoked, item.issuedBefore);
    list.add(revocations);
  };

  const look = async (since: number): Promise<void> => {
    const rows: Row[] = await db.knex<Row>('folsom_revocation').where('revoked_at', '>', since).select();
    if (rows.length > 0) take(readRevocations(rows.map(fromRow)));
  };

  return {
    list,
    issueMoment: () => {
      lastIssued = Math.max(clock.now(), lastRevoked + 1);
      return lastIssued;
    },
    // Tokens may be a millisecond ahead of the clock, also those issued before a restart, whose moments nobody remembers.
    revocationMoment: () => Math.max(clock.now(), lastIssued, lastRevoked + 1),
    write: async (trx, revocations) => {
      for (const item of revocations) {
        await trx('folsom_revocation')
          .insert({
            kind: item.kind,
            subject: item.subject,
            issued_before: item.issuedBefore,
            revoked_at: item.revokedAt,
            expires: item.expires,
          })
          .onConflict(['kind', 'subject'])
          .merge();
      }
    },
    publish: revocations => {
      take(revocations);
      bus
        ?.fanout(adminContext(), REVOCATION_TOPIC, {
          method: REVOCATION_METHOD,
          args: { revocations: [...revocations] },
        })
        .catch(error =>
          log.warn('revocations could not be sent; services will find them by asking', { error }),
        );
    },
    start: async () => {
      await look(0);
      listener = listenToRevocations({ bus, host: options.host, log, take });
      timer = clock.every(IDENTITY_LIMITS.revocationPollMs, () => {
        if (looking) return;
        looking = true;
        look(list.latest - LOOK_BACK_MS)
          .catch(error => log.warn('revocations cannot be read', { error }))
          .finally(() => {
            looking = false;
          });
      });
    },
    stop: async () => {
      timer?.cancel();
      await listener?.stop();
    },
  };
}
