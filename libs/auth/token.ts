/** What a valid token says about its bearer. */
export interface TokenInfo {
  /** The token as the client sent it. A secret: never logged. */
  id: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  userId: string;
  userName: string;
  /** Null for a token that is not scoped to a tenant. */
  tenantId: string | null;
  tenantName: string | null;
  /** Names of the roles the user has in that tenant. */
  roles: string[];
  /** Whether one of the roles is `admin`, or the token is the service's own bootstrap secret. */
  isAdmin: boolean;
  /** As keystone v2.0 gives it (`access.serviceCatalog`); empty for unscoped tokens. */
  serviceCatalog: unknown[];
  /** Milliseconds since the epoch; absent where the identity service does not tell. */
  issuedAt?: number;
}

export interface TokenValidator {
  /**
   * The facts behind a token, or null for one that is unknown, expired, revoked or damaged.
   *
   * @throws Fault `IdentityUnavailable` (503) when the identity service cannot be asked.
   */
  validate(token: string): Promise<TokenInfo | null>;
}

/** Longest token looked at (keystone's max_token_size); longer ones are invalid without a call. */
export const TOKEN_CHARS_MAX = 8192;

export const isAdminRole = (role: string): boolean => role.toLowerCase() === 'admin';

/** The same facts whatever the request; for tests and compositions that have no identity service. */
export function tokenInfo(fields: Partial<TokenInfo> & { id: string }): TokenInfo {
  const roles = fields.roles ?? [];
  return {
    expiresAt: Number.MAX_SAFE_INTEGER,
    userId: 'user',
    userName: 'user',
    tenantId: 'tenant',
    tenantName: 'tenant',
    isAdmin: roles.some(isAdminRole),
    serviceCatalog: [],
    ...fields,
    roles,
  };
}

/**
 * Knows exactly the tokens it is given: `staticValidator({ t1: { userId: 'u', tenantId: 'p', roles: ['admin'] } })`.
 */
export function staticValidator(tokens: Record<string, Partial<TokenInfo>>): TokenValidator {
  const known = new Map(Object.entries(tokens).map(([id, fields]) => [id, tokenInfo({ ...fields, id })]));
  return { validate: async token => known.get(token) ?? null };
}
