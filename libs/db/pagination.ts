import { must } from '@folsom/core';
import type { Knex } from 'knex';

export interface SortKey {
  /** Column, with its table where the query joins. */
  column: string;
  direction: 'asc' | 'desc';
  /** False where the column always has a value: the page then begins in the index. Default: true. */
  nullable?: boolean;
}

/**
 * Orders by the keys and, with a marker, leaves out everything up to and including it. The last key must be
 * unique. `marker` holds the marker row's value of each key, in order; NULLs come first when ascending, as in
 * both databases.
 */
export function paginate<Q extends Knex.QueryBuilder>(
  query: Q,
  keys: readonly SortKey[],
  marker?: readonly unknown[],
  limit?: number,
): Q {
  if (marker) {
    beginInIndex(query, keys[0], marker[0]);
    query.where(after => {
      keys.forEach((key, at) => {
        const value = marker[at] ?? null;
        // Nothing sorts after NULL when descending.
        if (value === null && key.direction === 'desc') return;
        after.orWhere(step => {
          for (let before = 0; before < at; before++) {
            const same = marker[before] ?? null;
            if (same === null) step.whereNull(must(keys[before], 'before is in keys').column);
            else step.where(must(keys[before], 'before is in keys').column, same as Knex.Value);
          }
          if (value === null) step.whereNotNull(key.column);
          else if (key.direction === 'asc') step.where(key.column, '>', value as Knex.Value);
          else if (key.nullable === false) step.where(key.column, '<', value as Knex.Value);
          else {
            step.where(lower => {
              lower.where(key.column, '<', value as Knex.Value).orWhereNull(key.column);
            });
          }
        });
      });
      // A marker that nothing can follow must not become "no condition".
      after.orWhereRaw('1 = 0');
    });
  }
  query.orderBy(keys.map(key => ({ column: key.column, order: key.direction })));
  if (limit !== undefined) query.limit(limit);
  return query;
}

/**
 * What follows the marker is written with OR, for which a database reads the index from its beginning. That the first key is not before
 * the marker's is the same said once more, in a form that finds the place at once.
 */
function beginInIndex(query: Knex.QueryBuilder, first: SortKey | undefined, value: unknown): void {
  if (first === undefined || value === null || value === undefined) return;
  if (first.direction === 'asc') query.where(first.column, '>=', value as Knex.Value);
  else if (first.nullable === false) query.where(first.column, '<=', value as Knex.Value);
}
