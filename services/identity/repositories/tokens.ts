import { type Database, fromSqlBool, fromSqlTime, type Knex, toSqlTime } from '@folsom/db';
import { readExtra } from './stored-json.ts';

/** Tokens that are kept: UUID tokens, and PKI tokens by their MD5. */
export interface StoredToken {
  key: string;
  user: Record<string, unknown>;
  tenant: Record<string, unknown> | null;
  metadata: Record<string, unknown>;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
}

interface Row {
  id: string;
  expires: string | null;
  extra: string | null;
  valid: number | boolean;
}

/**
 * The column holds whole seconds on MySQL, and the original wrote rows without our two times: exact ones stand in the
 * JSON.
 */
function fromRow(row: Pick<Row, 'id' | 'expires' | 'extra'>): StoredToken | null {
  const extra = readExtra(row.extra);
  const { user, tenant, metadata } = extra;
  if (user === null || typeof user !== 'object') return null;
  const expiresAt = typeof extra.expires_at === 'number' ? extra.expires_at : fromSqlTime(row.expires);
  return {
    key: row.id,
    user: user as Record<string, unknown>,
    tenant: tenant !== null && typeof tenant === 'object' ? (tenant as Record<string, unknown>) : null,
    metadata: metadata !== null && typeof metadata === 'object' ? (metadata as Record<string, unknown>) : {},
    issuedAt: typeof extra.issued_at === 'number' ? extra.issued_at : 0,
    // Without an expiry the original lets a token live for ever.
    expiresAt: expiresAt ?? Number.MAX_SAFE_INTEGER,
  };
}

/** The token under this key, if it has not been revoked; expired ones included. */
export async function findStoredToken(knex: Knex, key: string): Promise<StoredToken | null> {
  const row = await knex<Row>('token').where({ id: key, valid: 1 }).first('id', 'expires', 'extra');
  return row ? fromRow(row) : null;
}

/** Whether a token is stored under this key, and still good. */
export async function storedState(knex: Knex, key: string): Promise<'none' | 'valid' | 'revoked'> {
  const row = await knex<Row>('token').where({ id: key }).first('valid');
  return row === undefined ? 'none' : fromSqlBool(row.valid) ? 'valid' : 'revoked';
}

/** Rows written in one transaction at most: stays below SQLite's number of variables. */
export const ROWS_PER_INSERT = 200;

/** Writes tokens; those that come while a transaction runs go together into the next one. */
export function tokenWriter(db: Database): (token: StoredToken, id: string) => Promise<void> {
  let queue: { token: StoredToken; id: string; done: (error?: unknown) => void }[] = [];
  let writing = false;
  const flush = async () => {
    writing = true;
    while (queue.length > 0) {
      const batch = queue.slice(0, ROWS_PER_INSERT);
      queue = queue.slice(batch.length);
      let failure: unknown;
      try {
        await db.transaction(async trx => {
          // The same PKI token may be written by two logins at once: one row will do.
          await trx('token')
            .insert(batch.map(({ token, id }) => rowOf(token, id)))
            .onConflict('id')
            .ignore();
          await trx('folsom_token_owner')
            .insert(batch.map(({ token }) => ownerOf(token)))
            .onConflict('token_id')
            .ignore();
        });
      } catch (error) {
        failure = error;
      }
      for (const { done } of batch) done(failure);
    }
    writing = false;
  };
  return (token, id) =>
    new Promise((resolve, reject) => {
      queue.push({ token, id, done: error => (error === undefined ? resolve() : reject(error)) });
      // Not at once: requests of the same turn of the event loop join.
      if (!writing) {
        writing = true;
        setImmediate(() => void flush());
      }
    });
}

const rowOf = (token: StoredToken, id: string) => ({
  id: token.key,
  expires: toSqlTime(token.expiresAt),
  valid: 1,
  extra: JSON.stringify({
    key: id,
    user: token.user,
    tenant: token.tenant,
    metadata: token.metadata,
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
  }),
});

const ownerOf = (token: StoredToken) => ({
  token_id: token.key,
  user_id: String(token.user.id),
  tenant_id: token.tenant === null ? null : String(token.tenant.id),
  expires: toSqlTime(token.expiresAt),
});

/** Marks one token; false when it is unknown or was marked before. */
export async function invalidateToken(knex: Knex, key: string): Promise<boolean> {
  return (await knex('token').where({ id: key, valid: 1 }).update({ valid: 0 })) > 0;
}

export interface TokenScope {
  userId?: string;
  tenantId?: string;
  roleId?: string;
}

/** Marks every living token of a user, of a tenant, of a user in a tenant, or with a role. */
export async function invalidateTokens(trx: Knex, scope: TokenScope, now: number): Promise<void> {
  const living = trx('token').where('valid', 1).andWhere('expires', '>', toSqlTime(now));
  if (scope.roleId !== undefined) {
    // Deleting a role is rare, and role ids stand inside the JSON only.
    await living
      .andWhere('extra', 'like', `%"${scope.roleId.replace(/[%_\\"]/g, '')}"%`)
      .update({ valid: 0 });
    return;
  }
  const owners = trx('folsom_token_owner').select('token_id');
  if (scope.userId !== undefined) owners.where('user_id', scope.userId);
  if (scope.tenantId !== undefined) owners.where('tenant_id', scope.tenantId);
  await living.whereIn('id', owners).update({ valid: 0 });
}

/** Revoked tokens that have not expired yet. */
export async function listRevokedTokens(
  knex: Knex,
  now: number,
): Promise<{ id: string; expiresAt: number }[]> {
  // By the column alone: the JSON beside it is as large as the token, and the list shows whole seconds.
  const rows: Pick<Row, 'id' | 'expires'>[] = await knex<Row>('token')
    .where('valid', 0)
    .andWhere('expires', '>', toSqlTime(now))
    .select('id', 'expires');
  return rows.map(row => ({ id: row.id, expiresAt: fromSqlTime(row.expires) ?? now }));
}

/** Deletes up to `rowsMax` tokens that expired before a moment, and what belongs to them. Returns how many. */
export async function flushTokens(db: Database, before: number, rowsMax: number): Promise<number> {
  return db.transaction(async trx => {
    const rows: { id: string }[] = await trx('token')
      .where('expires', '<', toSqlTime(before))
      .limit(rowsMax)
      .select('id');
    const ids = rows.map(row => row.id);
    if (ids.length > 0) {
      await trx('folsom_token_owner').whereIn('token_id', ids).delete();
      await trx('token').whereIn('id', ids).delete();
    }
    return ids.length;
  });
}

/** Who holds a token that another keystone wrote. One that nobody can read belongs to nobody. */
export function holderOf(row: Pick<Row, 'id' | 'expires' | 'extra'>): Record<string, string | null> {
  const token = readable(row);
  return token ? ownerOf(token) : { token_id: row.id, user_id: '', tenant_id: null, expires: row.expires };
}

function readable(row: Pick<Row, 'id' | 'expires' | 'extra'>): StoredToken | null {
  try {
    return fromRow(row);
  } catch {
    return null;
  }
}
