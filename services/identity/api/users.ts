import { isEnabled } from '../enabled.ts';
import { fault, invalid, missing } from '../faults.ts';
import { IDENTITY_LIMITS } from '../limits.ts';
import { addMember } from '../repositories/grants.ts';
import { splitExtra } from '../repositories/stored-json.ts';
import { getTenant } from '../repositories/tenants.ts';
import {
  createUser,
  deleteUser,
  getUser,
  listUsers,
  type User,
  updateUser,
  userView,
} from '../repositories/users.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { cleanName, normalizeFields, requireName } from './names.ts';
import { ADMIN, type Asked, type Operation, objectOf } from './operation.ts';

/** A password as it is stored; null stays null (nobody can log in). */
async function hashedPassword(
  deps: Pick<Dependencies, 'passwords'>,
  who: string,
  password: unknown,
): Promise<string | null> {
  if (password === null || password === undefined) return null;
  if (typeof password !== 'string') throw missing('text as password', 'user');
  if (password.length > IDENTITY_LIMITS.passwordCharsMax) {
    throw fault('ValidationSizeError', { attribute: 'password', size: IDENTITY_LIMITS.passwordCharsMax });
  }
  if (password.includes('\0')) throw invalid('Password must not contain a zero character.');
  return deps.passwords.hash(who, password);
}

/**
 * Lays changes over a user. A new password or being disabled ends the user's tokens in the same transaction; `tenantId`
 * as default tenant makes the user a member of it, or nothing happens at all.
 */
export async function changeUser(
  deps: Pick<Dependencies, 'db' | 'tokens' | 'passwords'>,
  id: string,
  given: Readonly<Record<string, unknown>>,
  options: { joinTenant?: string } = {},
): Promise<User> {
  const { db, tokens } = deps;
  const changes = { ...given };
  if ('name' in changes) changes.name = cleanName('User name', changes.name);
  if ('id' in changes && changes.id !== id) throw invalid('Cannot change user ID');
  if ('password' in changes) {
    // Whoever asks for a user that is not there pays for no hash.
    await getUser(db.knex, id);
    changes.password = await hashedPassword(deps, `id ${id}`, changes.password);
  }
  const { user, revoked } = await db.transaction(async trx => {
    if (options.joinTenant !== undefined) {
      await getTenant(trx, options.joinTenant);
      await getUser(trx, id);
      await addMember(trx, id, options.joinTenant);
    }
    const { after } = await updateUser(trx, id, changes);
    const ends = 'password' in changes || !isEnabled(changes);
    return { user: after, revoked: ends ? await tokens.revokeAll(trx, { userId: id }) : [] };
  });
  tokens.published(revoked);
  return user;
}

export function userOperations(deps: Dependencies): Operation[] {
  const { db, tokens, world } = deps;
  const admin = { ports: ADMIN, access: 'admin' } as const;

  // The original shows the stored row after a change: columns, and the rest in `extra`.
  const changedView = (user: User) => ({ user: { id: user.id, name: user.name, extra: user.extra } });

  const update = (path: string): Operation => ({
    name: 'update_user',
    method: 'PUT',
    path,
    ...admin,
    body: { user: 'object' },
    handle: async asked =>
      changedView(await changeUser(deps, asked.params.user_id!, objectOf(asked, 'user'))),
  });

  const updateTenantOf = (path: string): Operation => ({
    name: 'update_user_tenant',
    method: 'PUT',
    path,
    ...admin,
    body: { user: 'object' },
    handle: async (asked: Asked) => {
      const changes = objectOf(asked, 'user');
      const joinTenant = changes.tenantId ?? 'None';
      if (typeof joinTenant !== 'string') throw missing('text as tenantId', 'user');
      return changedView(await changeUser(deps, asked.params.user_id!, changes, { joinTenant }));
    },
  });

  return [
    {
      name: 'get_users',
      method: 'GET',
      path: '/users',
      ...admin,
      handle: async () => ({ users: (await listUsers(db.knex)).map(userView) }),
    },
    {
      name: 'get_user',
      method: 'GET',
      path: '/users/:user_id',
      ...admin,
      handle: async asked => ({ user: userView(await getUser(db.knex, asked.params.user_id!)) }),
    },
    {
      name: 'create_user',
      method: 'POST',
      path: '/users',
      ...admin,
      body: { user: 'object' },
      handle: async asked => {
        const given = normalizeFields(objectOf(asked, 'user'));
        requireName(given);
        const tenantId = given.tenantId ?? null;
        if (tenantId !== null && typeof tenantId !== 'string') throw missing('text as tenantId', 'user');
        if (tenantId !== null) await getTenant(db.knex, tenantId);
        const name = cleanName('User name', given.name);
        const extra = splitExtra(given, ['name']);
        if ('password' in extra) extra.password = await hashedPassword(deps, `name ${name}`, extra.password);
        const user: User = { id: newId(world), name, extra };
        await db.transaction(async trx => {
          await createUser(trx, user);
          if (tenantId !== null) {
            await getTenant(trx, tenantId);
            await addMember(trx, user.id, tenantId);
          }
        });
        return { user: { ...user.extra, id: user.id, name: user.name } };
      },
    },
    update('/users/:user_id'),
    update('/users/:user_id/password'),
    update('/users/:user_id/OS-KSADM/password'),
    update('/users/:user_id/enabled'),
    update('/users/:user_id/OS-KSADM/enabled'),
    updateTenantOf('/users/:user_id/tenant'),
    updateTenantOf('/users/:user_id/OS-KSADM/tenant'),
    {
      name: 'delete_user',
      method: 'DELETE',
      path: '/users/:user_id',
      ...admin,
      handle: async asked => {
        const id = asked.params.user_id!;
        const revoked = await db.transaction(async trx => {
          await deleteUser(trx, id);
          return tokens.revokeAll(trx, { userId: id });
        });
        tokens.published(revoked);
        return undefined;
      },
    },
    {
      name: 'get_user_roles_without_tenant',
      method: 'GET',
      path: '/users/:user_id/roles',
      ...admin,
      handle: () => {
        throw fault('NotImplemented', {}, { message: 'User roles not supported: tenant ID required' });
      },
    },
  ];
}
