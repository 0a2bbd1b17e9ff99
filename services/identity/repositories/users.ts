import { fault } from '../faults.ts';
import { type Named, namedRows } from './named-rows.ts';

/** With the hash in `extra.password`. */
export type User = Named;

const users = namedRows('user', id => fault('UserNotFound', { user_id: id }));

export const findUser = users.find;
export const getUser = users.get;
export const listUsers = users.list;
export const listUsersOfTenant = users.listMembers;
export const createUser = users.create;
export const updateUser = users.update;
export const deleteUser = users.delete;

/** The user as a document, without the hash. */
export function userView(user: User): Record<string, unknown> {
  const { password: _hash, ...shown } = user.extra;
  return { ...shown, id: user.id, name: user.name };
}
