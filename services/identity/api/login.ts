import { isEnabled } from '../enabled.ts';
import { fault, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import type { Grant } from '../repositories/grants.ts';
import { findLogin } from '../repositories/login.ts';
import { rolesByIds } from '../repositories/roles.ts';
import { type Tenant, tenantView } from '../repositories/tenants.ts';
import { type User, userView } from '../repositories/users.ts';
import type { TokenFacts } from '../tokens/token.ts';
import type { Dependencies } from './dependencies.ts';
import { textField } from './request-body.ts';

type Deps = Pick<Dependencies, 'db' | 'tokens' | 'passwords' | 'roles' | 'limits'>;
type Auth = Readonly<Record<string, unknown>>;

const badPassword = () => fault('Unauthorized', {}, { message: 'Invalid user / password' });

/** Who logs in, and where: the facts of the token to issue. Throws the faults of `POST /tokens`. */
export async function login(deps: Deps, auth: Auth): Promise<TokenFacts> {
  if ('passwordCredentials' in auth) return loginByPassword(deps, auth);
  if ('token' in auth) return loginByToken(deps, auth);
  throw missing('passwordCredentials or token', 'auth');
}

/** A person's rights in a tenant as a token holds them; without a tenant there are none. */
export async function scopeFacts(
  deps: Pick<Dependencies, 'roles'>,
  user: User,
  tenant: Tenant | null,
  grant: Grant,
): Promise<Pick<TokenFacts, 'user' | 'tenant' | 'metadata' | 'roles'>> {
  const userDocument = { ...userView(user), id: user.id, name: user.name };
  if (tenant === null) return { user: userDocument, tenant: null, metadata: {}, roles: [] };
  return {
    user: userDocument,
    tenant: { ...tenantView(tenant), id: tenant.id, name: tenant.name },
    metadata: grant.metadata,
    roles: await rolesByIds(deps.roles, grant.roleIds),
  };
}

async function loginByPassword(deps: Deps, auth: Auth): Promise<TokenFacts> {
  const { db, limits } = deps;
  const credentials = objectIn(auth, 'passwordCredentials');
  const userId = textField(credentials, 'userId', limits.paramCharsMax);
  const username = textField(credentials, 'username', limits.paramCharsMax);
  // Refused before any hash is computed.
  const password = textField(credentials, 'password', IDENTITY_LIMITS.passwordCharsMax) ?? '';
  const tenantName = textField(auth, 'tenantName', limits.paramCharsMax);
  const tenantId = textField(auth, 'tenantId', limits.paramCharsMax);
  if (password === '') throw badPassword();

  // Before anything is read: what is revoked from now on ends this token, too.
  const issuedAt = deps.tokens.issueMoment();
  const { user, tenant, grant } = await findLogin(db.knex, {
    userName: username,
    userId,
    tenantName,
    tenantId,
  });
  // Whether the name exists shows neither in the answer nor in its time, and nothing about tenants is told before.
  const who = username ? `name ${username}` : `id ${userId ?? ''}`;
  if (!(await deps.passwords.verify(who, user, password)) || user === null) throw badPassword();

  if (tenantName || tenantId !== undefined) {
    if (!tenant && tenantName) throw fault('Unauthorized');
    if (!tenant || !grant.member) throw fault('Unauthorized', {}, { message: 'Invalid tenant' });
  }
  if (!isEnabled(user.extra) || (tenant && !isEnabled(tenant.extra))) throw fault('Unauthorized');
  return {
    ...(await scopeFacts(deps, user, tenant, grant)),
    issuedAt,
    expiresAt: issuedAt + deps.tokens.lifetimeMs,
  };
}

async function loginByToken(deps: Deps, auth: Auth): Promise<TokenFacts> {
  const { db, limits, tokens } = deps;
  const id = textField(objectIn(auth, 'token'), 'id', Number.MAX_SAFE_INTEGER);
  if (id === undefined) throw missing('id', 'token');
  if (id.length > limits.tokenCharsMax) {
    throw fault('ValidationSizeError', { attribute: 'token', size: limits.tokenCharsMax });
  }
  const tenantName = textField(auth, 'tenantName', limits.paramCharsMax);
  const tenantId = textField(auth, 'tenantId', limits.paramCharsMax);

  const issuedAt = tokens.issueMoment();
  const old = await tokens.find(id);
  if (!old) throw fault('Unauthorized');
  const { user, tenant, grant } = await findLogin(db.knex, { userId: old.user.id, tenantName, tenantId });
  if (!user || !isEnabled(user.extra)) throw fault('Unauthorized');
  if (tenantName && !tenant) throw fault('TenantNotFound', { tenant_id: tenantName });
  if (tenantId && !tenant) throw fault('Unauthorized');
  if (tenant && !grant.member) throw fault('Unauthorized');
  if (tenant && !isEnabled(tenant.extra)) throw fault('Unauthorized');
  // A token from a token never lives longer than the first.
  return { ...(await scopeFacts(deps, user, tenant, grant)), issuedAt, expiresAt: old.expiresAt };
}

function objectIn(from: Auth, field: string): Record<string, unknown> {
  const value = from[field];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw missing(`an object as ${field}`, 'auth');
  }
  return value as Record<string, unknown>;
}
