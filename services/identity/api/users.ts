import Type from 'typebox';
import { isEnabled } from '../enabled.ts';
import { fault, invalid, missing } from '../faults.ts';
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
import { forAdmins, operation } from './operation.ts';
import { name, newPassword, wrapped } from './shapes.ts';

/** What a user may be changed to; other fields are kept as they are. */
export interface UserChanges {
  id?: unknown;
  name?: string;
  password?: string | null;
  enabled?: unknown;
}

/** A password as it is stored; null stays null (nobody can log in). */
const hashedPassword = async (
  deps: Pick<Dependencies, 'passwords'>,
  who: string,
  password: string | null | undefined,
): Promise<string | null> =>
  password === null || password === undefined ? null : deps.passwords.hash(who, password);

/**
 * Lays changes over a user. A new password or being disabled ends the user's tokens in the same transaction; `tenantId`
 * as default tenant makes the user a member of it, or nothing happens at all.
 */
export async function changeUser(
  deps: Pick<Dependencies, 'db' | 'tokens' | 'passwords'>,
  id: string,
  given: UserChanges,
  options: { joinTenant?: string } = {},
): Promise<User> {
  const { db, tokens } = deps;
  const changes: Record<string, unknown> = { ...given };
  if ('id' in changes && changes.id !== id) throw invalid('Cannot change user ID');
  if ('password' in changes) {
    // Whoever asks for a user that is not there pays for no hash.
    await getUser(db.knex, id);
    changes.password = await hashedPassword(deps, `id ${id}`, given.password);
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

// The original shows the stored row after a change: columns, and the rest in `extra`.
const changedView = (user: User) => ({ user: { id: user.id, name: user.name, extra: user.extra } });

const changes = { name: Type.Optional(name('User name')), password: newPassword };
const tenantText = Type.Optional(
  Type.Union([Type.Null(), Type.String()], { says: () => missing('text as tenantId', 'user') }),
);

export const userOperations = [
  operation({
    name: 'get_users',
    about: 'All users.',
    method: 'GET',
    path: '/users',
    ...forAdmins,
    answers: 200,
    run: async ({ domain: { db } }) => ({ users: (await listUsers(db.knex)).map(userView) }),
  }),
  operation({
    name: 'get_user',
    about: 'One user.',
    method: 'GET',
    path: '/users/:user_id',
    ...forAdmins,
    answers: 200,
    throws: ['UserNotFound'],
    run: async ({ domain: { db }, params }) => ({ user: userView(await getUser(db.knex, params.user_id)) }),
  }),
  operation({
    name: 'create_user',
    about: 'Makes a user.',
    method: 'POST',
    path: '/users',
    ...forAdmins,
    body: wrapped(
      'user',
      {
        name: name('User name', { required: true }),
        tenantId: tenantText,
        password: newPassword,
      },
      { underscored: true },
    ),
    answers: 200,
    throws: ['TenantNotFound', 'Conflict', 'Busy'],
    run: async ({ domain, body }) => {
      const { db, world } = domain;
      const { name: userName, password } = body.user;
      const tenantId = body.user.tenantId ?? null;
      if (tenantId !== null) await getTenant(db.knex, tenantId);
      const extra = splitExtra(body.user, ['name']);
      if ('password' in extra) extra.password = await hashedPassword(domain, `name ${userName}`, password);
      const user: User = { id: newId(world), name: userName, extra };
      await db.transaction(async trx => {
        await createUser(trx, user);
        if (tenantId !== null) {
          await getTenant(trx, tenantId);
          await addMember(trx, user.id, tenantId);
        }
      });
      return { user: { ...user.extra, id: user.id, name: user.name } };
    },
  }),
  operation({
    name: 'update_user',
    about: 'Changes a user: anything, the password, or whether it is enabled.',
    method: 'PUT',
    path: '/users/:user_id',
    aliases: [
      '/users/:user_id/password',
      '/users/:user_id/OS-KSADM/password',
      '/users/:user_id/enabled',
      '/users/:user_id/OS-KSADM/enabled',
    ],
    ...forAdmins,
    body: wrapped('user', changes),
    answers: 200,
    throws: ['ValidationError', 'UserNotFound', 'Conflict', 'Busy'],
    run: async ({ domain, params, body }) => changedView(await changeUser(domain, params.user_id, body.user)),
  }),
  operation({
    name: 'update_user_tenant',
    about: "Changes a user's default tenant and makes the user a member of it.",
    method: 'PUT',
    path: '/users/:user_id/tenant',
    aliases: ['/users/:user_id/OS-KSADM/tenant'],
    ...forAdmins,
    body: wrapped('user', { ...changes, tenantId: tenantText }),
    answers: 200,
    throws: ['ValidationError', 'UserNotFound', 'TenantNotFound', 'Conflict', 'Busy'],
    run: async ({ domain, params, body }) => {
      const joinTenant = body.user.tenantId ?? 'None';
      return changedView(await changeUser(domain, params.user_id, body.user, { joinTenant }));
    },
  }),
  operation({
    name: 'delete_user',
    about: 'Deletes a user and ends his tokens.',
    method: 'DELETE',
    path: '/users/:user_id',
    ...forAdmins,
    answers: 204,
    throws: ['UserNotFound'],
    run: async ({ domain: { db, tokens }, params }) => {
      const id = params.user_id;
      const revoked = await db.transaction(async trx => {
        await deleteUser(trx, id);
        return tokens.revokeAll(trx, { userId: id });
      });
      tokens.published(revoked);
      return undefined;
    },
  }),
  operation({
    name: 'get_user_roles_without_tenant',
    about: 'Not implemented in the original either: roles are held in a tenant.',
    method: 'GET',
    path: '/users/:user_id/roles',
    ...forAdmins,
    answers: 501,
    throws: ['NotImplemented'],
    run: () => {
      throw fault('NotImplemented', {}, { message: 'User roles not supported: tenant ID required' });
    },
  }),
];
