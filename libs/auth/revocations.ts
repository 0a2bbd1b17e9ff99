import { hash } from 'node:crypto';
import type { Clock } from '@folsom/core';

/**
 * What ends tokens before their time. `token` ends one token; the others end every token issued up to a moment to a
 * user, in a tenant, with a role, or to a user in a tenant (`grant`).
 */
export type RevocationKind = 'token' | 'user' | 'tenant' | 'role' | 'grant';

export interface Revocation {
  kind: RevocationKind;
  /** From {@link tokenSubject}, a user id, a tenant id, a role name, or from {@link grantSubject}. */
  subject: string;
  /** Tokens issued at or before this moment are ended (ms since the epoch); of no meaning for `token`. */
  issuedBefore: number;
  /** When it was made (ms since the epoch). */
  revokedAt: number;
  /** When no token it concerns can be alive any more (ms since the epoch). */
  expires: number;
}

/** The facts of a token that revocations speak about. */
export interface RevocableToken {
  /** The token's key: the id of a stored token, the `jti` of a signed one. */
  key: string;
  userId: string;
  tenantId: string | null;
  roles: readonly string[];
  /** Milliseconds since the epoch. */
  issuedAt: number;
}

/** Revocations name tokens by a digest: the list must not be a list of tokens. */
export const tokenSubject = (key: string): string => hash('sha256', key, 'hex');
export const grantSubject = (userId: string, tenantId: string): string => `${userId} ${tenantId}`;

export interface RevocationList {
  /** Takes revocations in, in any order and as often as they come. Returns whether any was news. */
  add(revocations: readonly Revocation[]): boolean;
  isRevoked(token: RevocableToken): boolean;
  /** Those made at or after `revokedAt`. */
  since(revokedAt: number): Revocation[];
  /** The latest `revokedAt` seen; 0 when empty. */
  readonly latest: number;
  /** Another text after every news, and in another process: who has the same has everything. */
  readonly state: string;
  /** Calls `listener` once, at the next news; returns what takes it back. */
  whenChanged(listener: () => void): () => void;
  /** Calls all who wait for news, and whoever comes from now on at once: the process is about to stop. */
  release(): void;
  readonly size: number;
}

/** Revocations are forgotten this often, once they concern no living token. */
const PRUNE_EVERY_MS = 60_000;

/**
 * Revocations in memory: a few lookups per question, whatever their number.
 *
 * @param owner told apart by it in `state`, where several processes offer a list
 */
export function revocationList(clock: Clock, owner = ''): RevocationList {
  const byKind: Record<RevocationKind, Map<string, Revocation>> = {
    token: new Map(),
    user: new Map(),
    tenant: new Map(),
    role: new Map(),
    grant: new Map(),
  };
  let latest = 0;
  let changes = 0;
  let released = false;
  const waiting = new Set<() => void>();
  let prunedAt = clock.now();

  const prune = () => {
    const now = clock.now();
    if (now - prunedAt < PRUNE_EVERY_MS) return;
    prunedAt = now;
    for (const map of Object.values(byKind)) {
      for (const [subject, item] of map) if (item.expires <= now) map.delete(subject);
    }
  };
  const ended = (kind: RevocationKind, subject: string, issuedAt: number): boolean => {
    const item = byKind[kind].get(subject);
    return item !== undefined && issuedAt <= item.issuedBefore;
  };

  const tell = () => {
    const told = [...waiting];
    waiting.clear();
    for (const listener of told) listener();
  };

  return {
    add: revocations => {
      prune();
      let news = false;
      for (const item of revocations) {
        const known = byKind[item.kind]?.get(item.subject);
        latest = Math.max(latest, item.revokedAt);
        if (byKind[item.kind] === undefined) continue;
        if (known && known.issuedBefore >= item.issuedBefore && known.expires >= item.expires) continue;
        byKind[item.kind].set(item.subject, item);
        news = true;
      }
      if (news) {
        changes++;
        tell();
      }
      return news;
    },
    isRevoked: token =>
      (byKind.token.size > 0 && byKind.token.has(tokenSubject(token.key))) ||
      ended('user', token.userId, token.issuedAt) ||
      (token.tenantId !== null &&
        (ended('tenant', token.tenantId, token.issuedAt) ||
          ended('grant', grantSubject(token.userId, token.tenantId), token.issuedAt))) ||
      (byKind.role.size > 0 && token.roles.some(role => ended('role', role, token.issuedAt))),
    since: revokedAt =>
      Object.values(byKind).flatMap(map => [...map.values()].filter(item => item.revokedAt >= revokedAt)),
    get latest() {
      return latest;
    },
    get state() {
      return `${owner}.${changes}`;
    },
    whenChanged: listener => {
      if (released) {
        listener();
        return () => {};
      }
      waiting.add(listener);
      return () => void waiting.delete(listener);
    },
    release: () => {
      released = true;
      tell();
    },
    get size() {
      return Object.values(byKind).reduce((sum, map) => sum + map.size, 0);
    },
  };
}

/** Reads revocations that came over the wire; what does not look like one is left out. */
export function readRevocations(value: unknown): Revocation[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Revocation => {
    if (item === null || typeof item !== 'object') return false;
    const { kind, subject, issuedBefore, revokedAt, expires } = item as Record<string, unknown>;
    return (
      typeof kind === 'string' &&
      ['token', 'user', 'tenant', 'role', 'grant'].includes(kind) &&
      typeof subject === 'string' &&
      [issuedBefore, revokedAt, expires].every(time => typeof time === 'number' && Number.isFinite(time))
    );
  });
}
