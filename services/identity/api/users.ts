import Type from 'typebox';
import { isEnabled } from '../enabled.ts';
import { fault, invalid, missing } from '../faults.ts';
import type { Identities } from '../identities.ts';
import { splitExtra } from '../repositories/stored-json.ts';
import { type User, userView } from '../repositories/users.ts';
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
  identities: Identities,
  who: string,
  password: string | null | undefined,
): Promise<string | null> =>
  password === null || password === undefined ? null : identities.hash(who, password);

/**
 * Lays changes over a user. A new password or being disabled ends the user's tokens with the change; `tenantId`
 * as default tenant makes the user a member of it, or nothing happens at all.
 */
export async function changeUser(
  { identities }: Pick<Dependencies, 'identities'>,
  id: string,
  given: UserChanges,
  options: { joinTenant?: string } = {},
): Promise<User> {
  const { joinTenant } = options;
  const changes: Record<string, unknown> = { ...given };
  if ('id' in changes && changes.id !== id) throw invalid('Cannot change user ID');
  if ('password' in changes) {
    // Whoever asks for a user that is not there pays for no hash.
    await identities.getUser(id);
    changes.password = await hashedPassword(identities, `id ${id}`, given.password);
  }
  const ends = 'password' in changes || !isEnabled(changes) ? { userId: id } : null;
  return identities.change(ends, async made => {
    if (joinTenant !== undefined) {
      await made.getTenant(joinTenant);
      await made.getUser(id);
      await made.addMember(id, joinTenant);
    }
    return made.updateUser(id, changes);
  });
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
    run: async ({ domain: { identities } }) => ({ users: (await identities.listUsers()).map(userView) }),
  }),
  operation({
    name: 'get_user',
    about: 'One user.',
    method: 'GET',
    path: '/users/:user_id',
    ...forAdmins,
    answers: 200,
    throws: ['UserNotFound'],
    run: async ({ domain: { identities }, params }) => ({
      user: userView(await identities.getUser(params.user_id)),
    }),
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
      const { identities, world } = domain;
      const { name: userName, password } = body.user;
      const tenantId = body.user.tenantId ?? null;
      if (tenantId !== null) await identities.getTenant(tenantId);
      const extra = splitExtra(body.user, ['name']);
      if ('password' in extra)
        extra.password = await hashedPassword(identities, `name ${userName}`, password);
      const id = newId(world);
      const user = await identities.change(null, async made => {
        if (tenantId !== null) await made.getTenant(tenantId);
        const stored = await made.createUser({ id, name: userName, extra });
        if (tenantId !== null) await made.addMember(id, tenantId);
        return stored;
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
    run: async ({ domain: { identities }, params }) => {
      const userId = params.user_id;
      await identities.change({ userId }, made => made.deleteUser(userId));
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
