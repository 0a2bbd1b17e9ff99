import { type CatalogEntry, looksSigned } from '@folsom/auth';
import { isoSeconds } from '@folsom/core';
import type { Token, TokenFacts } from '../tokens/token.ts';

/** What a token is called in answers: stored ones by their key (the MD5 of a PKI token), signed ones by themselves. */
const shownId = (token: Token): string => (looksSigned(token.id) ? token.id : token.key);

interface ViewOptions {
  id: string;
  /** Roles with their ids (validation) or by name only (issue). */
  roleIds: boolean;
  /** Absent: the answer has no catalog at all. */
  catalog?: readonly CatalogEntry[];
  /** Adds the exact time of issue, for services that keep answers and follow revocations. */
  issuedAt?: boolean;
}

/** The `access` document about a token. */
export function accessView(token: TokenFacts, options: ViewOptions): Record<string, unknown> {
  const { metadata } = token;
  const scoped = token.tenant !== null;
  return {
    access: {
      token: {
        id: options.id,
        expires: isoSeconds(token.expiresAt),
        ...(options.issuedAt ? { issued_at: new Date(token.issuedAt).toISOString() } : {}),
        ...(scoped ? { tenant: { ...token.tenant, enabled: true } } : {}),
      },
      ...(options.catalog === undefined ? {} : { serviceCatalog: options.catalog }),
      user: {
        id: token.user.id,
        name: token.user.name,
        username: token.user.name,
        roles: token.roles.map(role =>
          options.roleIds ? { id: role.id, name: role.name } : { name: role.name },
        ),
        roles_links: [],
      },
      ...(Object.keys(metadata).length === 0
        ? {}
        : {
            metadata: {
              is_admin: metadata.is_admin ?? 0,
              ...(metadata.roles === undefined ? {} : { roles: metadata.roles }),
            },
          }),
    },
  };
}

const rendered = new WeakMap<Token, { catalog: readonly CatalogEntry[] | undefined; text: string }>();

/** The JSON text of a validation; made once for a token as long as its catalog stays the same. */
export function validationText(token: Token, catalog: readonly CatalogEntry[] | undefined): string {
  const known = rendered.get(token);
  if (known && known.catalog === catalog) return known.text;
  const text = JSON.stringify(validationView(token, catalog));
  rendered.set(token, { catalog, text });
  return text;
}

export const validationView = (
  token: Token,
  catalog: readonly CatalogEntry[] | undefined,
  issuedAt = false,
): Record<string, unknown> =>
  accessView(token, {
    id: shownId(token),
    roleIds: true,
    issuedAt,
    ...(catalog === undefined ? {} : { catalog }),
  });
