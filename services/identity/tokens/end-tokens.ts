import { grantSubject, type Revocation, type RevocationKind } from '@folsom/auth';
import type { Clock } from '@folsom/core';
import type { Knex } from '@folsom/db';
import type { Ends } from '../identities.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { invalidateTokens } from '../repositories/tokens.ts';
import type { RevocationLog } from './revocation-log.ts';

/** Ends the tokens that a change makes untrue. */
export interface EndTokens {
  /** Inside a transaction; what it returns goes to `publish` after the commit. */
  within(trx: Knex, ends: Ends): Promise<Revocation[]>;
  publish(revocations: readonly Revocation[]): void;
}

/** What one revocation says, and when it counts. */
export const revocationAt = (
  log: RevocationLog,
  clock: Clock,
  kind: RevocationKind,
  subject: string,
  expires: number,
): Revocation => ({
  kind,
  subject,
  issuedBefore: log.revocationMoment(),
  revokedAt: clock.now(),
  expires,
});

export function endTokens(options: { log: RevocationLog; clock: Clock; lifetimeMs: number }): EndTokens {
  const { log, clock } = options;
  const subjectOf = (ends: Ends): [RevocationKind, string] => {
    if ('role' in ends) return ['role', ends.role.name];
    if (!('userId' in ends)) return ['tenant', ends.tenantId];
    return ends.tenantId === undefined
      ? ['user', ends.userId]
      : ['grant', grantSubject(ends.userId, ends.tenantId)];
  };
  return {
    within: async (trx, ends) => {
      const expires = clock.now() + Math.max(options.lifetimeMs, IDENTITY_LIMITS.revocationsKeptMs);
      const made = [revocationAt(log, clock, ...subjectOf(ends), expires)];
      await invalidateTokens(trx, 'role' in ends ? { roleId: ends.role.id } : ends, clock.now());
      await log.write(trx, made);
      return made;
    },
    publish: log.publish,
  };
}
