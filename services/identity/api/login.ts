import Type, { type StaticDecode, type TObject, type TProperties } from 'typebox';
import { isEnabled } from '../enabled.ts';
import { fault, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import type { Grant } from '../repositories/grants.ts';
import { rolesByIds } from '../repositories/roles.ts';
import { type Tenant, tenantView } from '../repositories/tenants.ts';
import { type User, userView } from '../repositories/users.ts';
import type { TokenFacts } from '../tokens/token.ts';
import type { Dependencies } from './dependencies.ts';

type Deps = Pick<Dependencies, 'identities' | 'tokens' | 'roles' | 'limits'>;

const text = (field: string) =>
  Type.Optional(Type.Union([Type.Null(), Type.String()], { says: () => missing(`text as ${field}`) }));
const part = <Fields extends TProperties>(field: string, fields: Fields) =>
  Type.Optional(Type.Object(fields, { says: { type: () => missing(`an object as ${field}`, 'auth') } }));

/** What `auth` of `POST /tokens` holds. */
export const authShape = {
  passwordCredentials: part('passwordCredentials', {
    userId: text('userId'),
    username: text('username'),
    password: text('password'),
  }),
  token: part('token', { id: text('id') }),
  tenantName: text('tenantName'),
  tenantId: text('tenantId'),
};
type Auth = StaticDecode<TObject<typeof authShape>>;

const badPassword = () => fault('Unauthorized', {}, { message: 'Invalid user / password' });

/** Who logs in, and where: the facts of the token to issue. Throws the faults of `POST /tokens`. */
export async function login(deps: Deps, auth: Auth): Promise<TokenFacts> {
  if (auth.passwordCredentials) return loginByPassword(deps, auth, auth.passwordCredentials);
  if (auth.token) return loginByToken(deps, auth, auth.token);
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

async function loginByPassword(
  deps: Deps,
  auth: Auth,
  credentials: NonNullable<Auth['passwordCredentials']>,
): Promise<TokenFacts> {
  const { identities, limits } = deps;
  const userId = bounded('userId', credentials.userId, limits.paramCharsMax);
  const username = bounded('username', credentials.username, limits.paramCharsMax);
  // Refused before any hash is computed.
  const password = bounded('password', credentials.password, IDENTITY_LIMITS.passwordCharsMax) ?? '';
  const tenantName = bounded('tenantName', auth.tenantName, limits.paramCharsMax);
  const tenantId = bounded('tenantId', auth.tenantId, limits.paramCharsMax);
  if (password === '') throw badPassword();

  // Before anything is read: what is revoked from now on ends this token, too.
  const issuedAt = deps.tokens.issueMoment();
  const { user, tenant, grant } = await identities.findLogin({
    userName: username,
    userId,
    tenantName,
    tenantId,
  });
  // Whether the name exists shows neither in the answer nor in its time, and nothing about tenants is told before.
  const who = username ? `name ${username}` : `id ${userId ?? ''}`;
  if (!(await identities.verify(who, user, password)) || user === null) throw badPassword();

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

async function loginByToken(deps: Deps, auth: Auth, token: NonNullable<Auth['token']>): Promise<TokenFacts> {
  const { identities, limits, tokens } = deps;
  const id = bounded('token', token.id, limits.tokenCharsMax);
  if (id === undefined) throw missing('id', 'token');
  const tenantName = bounded('tenantName', auth.tenantName, limits.paramCharsMax);
  const tenantId = bounded('tenantId', auth.tenantId, limits.paramCharsMax);

  const issuedAt = tokens.issueMoment();
  const old = await tokens.find(id);
  if (!old) throw fault('Unauthorized');
  const { user, tenant, grant } = await identities.findLogin({ userId: old.user.id, tenantName, tenantId });
  if (!user || !isEnabled(user.extra)) throw fault('Unauthorized');
  if (tenantName && !tenant) throw fault('TenantNotFound', { tenant_id: tenantName });
  if (tenantId && !tenant) throw fault('Unauthorized');
  if (tenant && !grant.member) throw fault('Unauthorized');
  if (tenant && !isEnabled(tenant.extra)) throw fault('Unauthorized');
  // A token from a token never lives longer than the first.
  return { ...(await scopeFacts(deps, user, tenant, grant)), issuedAt, expiresAt: old.expiresAt };
}

/** A text within the limit that the operator has set; undefined for none. */
function bounded(attribute: string, value: string | null | undefined, size: number): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (value.length > size) throw fault('ValidationSizeError', { attribute, size });
  return value;
}
