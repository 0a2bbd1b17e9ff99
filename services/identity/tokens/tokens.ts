import { hash } from 'node:crypto';
import { looksSigned, type SignedTokenReader, signToken, storedTokenKey, tokenSubject } from '@folsom/auth';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import type { Database } from '@folsom/db';
import { LRUCache } from 'lru-cache';
import { fault } from '../faults.ts';
import type { Fresh } from '../fresh.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { type Role, rolesByIds } from '../repositories/roles.ts';
import { type Tenant, tenantView } from '../repositories/tenants.ts';
import {
  findStoredToken,
  invalidateToken,
  type StoredToken,
  storedState,
  tokenWriter,
} from '../repositories/tokens.ts';
import { revocationAt } from './end-tokens.ts';
import type { TokenKeys } from './jwt-keys.ts';
import type { RevocationLog } from './revocation-log.ts';
import type { Token, TokenFacts } from './token.ts';

export type TokenFormat = 'UUID' | 'PKI' | 'JWT';

/** Makes, finds and ends tokens of every format. */
export interface Tokens {
  /** See {@link RevocationLog.issueMoment}: take it before reading who the user is. */
  issueMoment(): number;
  /** Seconds a token lives, as milliseconds. */
  readonly lifetimeMs: number;
  /** `signedDocument` gives what a PKI token signs; with a time, in a form that no other token has. */
  issue(facts: TokenFacts, signedDocument?: (issuedAt?: number) => string): Promise<Token>;
  /** The token, if it is genuine, neither expired nor revoked. */
  find(id: string): Promise<Token | null>;
  /** Ends one token; 404 for one that is unknown or ended already. Expired ones may be ended. */
  revoke(id: string): Promise<void>;
}

export interface TokensOptions {
  db: Database;
  world: World;
  format: TokenFormat;
  lifetimeMs: number;
  log: RevocationLog;
  keys: TokenKeys | null;
  reader: SignedTokenReader | null;
  roles: Fresh<Role[]>;
  findTenant: (id: string) => Promise<Tenant | null>;
  /** Signs a document as PKI token text. */
  pkiSign: ((document: string) => Promise<string>) | null;
}

/** Longest key the table holds: anything longer is no stored token. */
const KEY_CHARS_MAX = 64;

const listIn = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export function createTokens(options: TokensOptions): Tokens {
  const { db, world, log, reader, keys } = options;
  const { clock } = world;
  const write = tokenWriter(db);
  // By digest: what is kept in memory is not the secret itself.
  const cache = new LRUCache<string, { token: Token; until: number }>({
    max: IDENTITY_LIMITS.tokensCachedMax,
  });

  const usable = (token: Token): boolean =>
    token.expiresAt > clock.now() &&
    !log.list.isRevoked({
      key: token.key,
      userId: token.user.id,
      tenantId: token.tenant?.id ?? null,
      roles: token.roles.map(role => role.name),
      issuedAt: token.issuedAt,
    });

  const fromStored = async (id: string, stored: StoredToken): Promise<Token> => ({
    id,
    key: stored.key,
    user: { ...stored.user, id: String(stored.user.id), name: String(stored.user.name) },
    tenant:
      stored.tenant === null
        ? null
        : { ...stored.tenant, id: String(stored.tenant.id), name: String(stored.tenant.name) },
    metadata: stored.metadata,
    roles: await rolesByIds(options.roles, listIn(stored.metadata.roles)),
    issuedAt: stored.issuedAt,
    expiresAt: stored.expiresAt,
  });

  const fromSigned = async (id: string): Promise<Token | null> => {
    const signed = reader?.read(id);
    // By the roles it was signed with: one that is deleted is not among those that follow.
    if (!signed || log.list.isRevoked(signed)) return null;
    const roles = (await options.roles.get()).filter(role => signed.roles.includes(role.name));
    const tenant = signed.tenantId === null ? null : await options.findTenant(signed.tenantId);
    if (signed.tenantId !== null && tenant === null) return null;
    return {
      id,
      key: signed.key,
      user: { id: signed.userId, name: signed.userName },
      tenant: tenant === null ? null : { ...tenantView(tenant), id: tenant.id, name: tenant.name },
      metadata: tenant === null ? {} : { roles: roles.map(role => role.id) },
      roles,
      issuedAt: signed.issuedAt,
      expiresAt: signed.expiresAt,
    };
  };

  const load = async (id: string): Promise<Token | null> => {
    if (looksSigned(id)) return fromSigned(id);
    const key = storedTokenKey(id);
    if (key.length > KEY_CHARS_MAX) return null;
    const stored = await findStoredToken(db.knex, key);
    return stored ? fromStored(id, stored) : null;
  };

  const find = async (id: string): Promise<Token | null> => {
    const digest = hash('sha256', id, 'base64');
    const known = cache.get(digest);
    if (known && known.until > clock.monotonic()) return usable(known.token) ? known.token : null;
    const token = await load(id);
    if (!token || !usable(token)) {
      cache.delete(digest);
      return null;
    }
    // A stored token changes only by being revoked, which the list tells; roles and tenants of others may change.
    cache.set(digest, { token, until: clock.monotonic() + IDENTITY_LIMITS.freshMs });
    return token;
  };

  return {
    lifetimeMs: options.lifetimeMs,
    issueMoment: log.issueMoment,
    issue: async (facts, signedDocument) => {
      if (options.format === 'JWT' && keys) {
        const key = world.random.bytes(16).toString('base64url');
        const id = signToken(
          {
            key,
            userId: facts.user.id,
            userName: facts.user.name,
            tenantId: facts.tenant?.id ?? null,
            tenantName: facts.tenant?.name ?? null,
            roles: facts.roles.map(role => role.name),
            issuedAt: facts.issuedAt,
            expiresAt: facts.expiresAt,
          },
          keys.signing(),
        );
        return { ...facts, id, key };
      }
      const { user, tenant, metadata, issuedAt, expiresAt } = facts;
      const signed = options.format === 'PKI' && options.pkiSign && signedDocument;
      let id = signed
        ? await must(options.pkiSign, 'pkiSign is there')(signedDocument())
        : world.random.uuid().replaceAll('-', '');
      let key = storedTokenKey(id);
      // The same facts signed in the same second give the same PKI token; one that was revoked must not come back.
      const state = signed ? await storedState(db.knex, key) : 'none';
      if (signed && state === 'revoked') {
        id = await must(options.pkiSign, 'pkiSign is there')(signedDocument(issuedAt));
        key = storedTokenKey(id);
      }
      if (state !== 'valid') await write({ key, user, tenant, metadata, issuedAt, expiresAt }, id);
      const token = { ...facts, id, key };
      cache.set(hash('sha256', id, 'base64'), {
        token,
        until: clock.monotonic() + IDENTITY_LIMITS.freshMs,
      });
      return token;
    },
    find,
    revoke: async id => {
      const gone = () => fault('TokenNotFound', { token_id: id });
      if (looksSigned(id)) {
        const signed = reader?.read(id);
        if (!signed || log.list.isRevoked(signed)) throw gone();
        if (signed.expiresAt <= clock.now()) return;
        const made = [revocationAt(log, clock, 'token', tokenSubject(signed.key), signed.expiresAt)];
        await db.transaction(trx => log.write(trx, made));
        log.publish(made);
        return;
      }
      const key = storedTokenKey(id);
      if (key.length > KEY_CHARS_MAX) throw gone();
      const made = [revocationAt(log, clock, 'token', tokenSubject(key), clock.now() + options.lifetimeMs)];
      const found = await db.transaction(async trx => {
        if (!(await invalidateToken(trx, key))) return false;
        await log.write(trx, made);
        return true;
      });
      if (!found) throw gone();
      log.publish(made);
    },
  };
}
