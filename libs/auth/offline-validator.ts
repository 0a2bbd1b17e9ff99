import type { Clock } from '@folsom/core';
import type { RevocationList } from './revocations.ts';
import type { SignedTokenReader } from './signed-token.ts';
import { isAdminRole, type TokenInfo, type TokenValidator } from './token.ts';

export interface OfflineOptions {
  reader: SignedTokenReader;
  revocations: RevocationList;
  clock: Clock;
  /** The catalog as that user sees it in that tenant. */
  catalog: (userId: string, tenantId: string) => Promise<unknown[]>;
}

/** Checks signed tokens without asking anybody: signature (remembered), expiry and revocation (each time). */
export function offlineValidator(options: OfflineOptions): TokenValidator {
  const { reader, revocations, clock } = options;
  return {
    validate: async (id): Promise<TokenInfo | null> => {
      const token = reader.read(id);
      if (!token || token.expiresAt <= clock.now() || revocations.isRevoked(token)) return null;
      return {
        id,
        expiresAt: token.expiresAt,
        issuedAt: token.issuedAt,
        userId: token.userId,
        userName: token.userName,
        tenantId: token.tenantId,
        tenantName: token.tenantName,
        roles: [...token.roles],
        isAdmin: token.roles.some(isAdminRole),
        serviceCatalog: token.tenantId === null ? [] : await options.catalog(token.userId, token.tenantId),
      };
    },
  };
}
