import type { Role } from '../repositories/roles.ts';

/** A token as the identity service knows it, whatever its format. */
export interface Token {
  /** What the client holds. A secret. */
  id: string;
  /** What stands for it in the database, in revocations and in answers about it: the id, its MD5 (PKI), or the `jti` (JWT). */
  key: string;
  /** Document of the user, without the hash. */
  user: Record<string, unknown> & { id: string; name: string };
  /** Document of the tenant at the time of issue; null for an unscoped token. */
  tenant: (Record<string, unknown> & { id: string; name: string }) | null;
  /** The stored grant, with role ids in `roles`; empty when there is none. */
  metadata: Record<string, unknown>;
  roles: Role[];
  /** Milliseconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
}

/** What a new token is made of. */
export type TokenFacts = Omit<Token, 'id' | 'key'>;
