import { must } from '@folsom/core';
import { type Database, toSqlTime } from '@folsom/db';
import { holderOf, ROWS_PER_INSERT } from './tokens.ts';

/**
 * Noting the holders of living tokens that an original wrote: a walk over the tokens by their ids, with a marker in the
 * database that says how far it has come and which process walks. A process that dies leaves it to the next.
 */
const NAME = 'token_owners';

export interface Claim {
  /** Of the process that walks. */
  holder: string;
  /** Milliseconds since the epoch at which others may take over. */
  until: number;
}

/** Takes the walk, or says since when (ms since the epoch) it has been finished, or that somebody else is walking. */
export async function claimAdoption(
  db: Database,
  claim: Claim,
  now: number,
): Promise<'mine' | { finishedAt: number | null }> {
  await db
    .knex('folsom_progress')
    .insert({ name: NAME, holder: '', held_until: 0, marker: '', finished_at: null })
    .onConflict('name')
    .ignore();
  const taken = await db
    .knex('folsom_progress')
    .where({ name: NAME })
    .andWhere(free => void free.where('held_until', '<=', now).orWhere('holder', claim.holder))
    .update({ holder: claim.holder, held_until: claim.until });
  if (taken > 0) return 'mine';
  const row = await db.knex('folsom_progress').where({ name: NAME }).first('finished_at');
  return { finishedAt: row?.finished_at == null ? null : Number(row.finished_at) };
}

/**
 * One page of the walk. Resolves to how many tokens were taken over and whether the walk is over; null when the claim was lost
 * meanwhile.
 */
export async function adoptPage(
  db: Database,
  claim: Claim,
  now: number,
  rowsMax: number,
): Promise<{ count: number; done: boolean } | null> {
  return db.transaction(async trx => {
    const mine = { name: NAME, holder: claim.holder };
    const at = await trx('folsom_progress').where(mine).first('marker');
    if (!at) return null;
    // Without the join first: a page costs the same wherever it begins.
    const rows: { id: string; expires: string | null; extra: string | null; known: string | null }[] =
      await trx('token as t')
        .leftJoin('folsom_token_owner as o', 'o.token_id', 't.id')
        .where('t.id', '>', at.marker)
        .andWhere('t.valid', 1)
        .andWhere('t.expires', '>', toSqlTime(now))
        .orderBy('t.id')
        .limit(rowsMax)
        .select('t.id', 't.expires', 't.extra', { known: 'o.token_id' });
    const owners = rows.filter(row => row.known === null).map(holderOf);
    for (let from = 0; from < owners.length; from += ROWS_PER_INSERT) {
      await trx('folsom_token_owner')
        .insert(owners.slice(from, from + ROWS_PER_INSERT))
        .onConflict('token_id')
        .ignore();
    }
    const done = rows.length < rowsMax;
    const kept = await trx('folsom_progress')
      .where(mine)
      .update(
        done
          ? { marker: '', held_until: 0, finished_at: now }
          : { marker: must(rows.at(-1), 'rows is not empty').id, held_until: claim.until },
      );
    if (kept === 0) throw new LostClaim();
    return { count: owners.length, done };
  });
}

/** Undoes the page: whoever has the walk now writes it. */
export class LostClaim extends Error {}
