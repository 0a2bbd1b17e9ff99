import type { Database } from '@folsom/db';
import { fault } from '../faults.ts';
import type { IdentityChanges } from '../identities.ts';
import type { Named } from '../repositories/named-rows.ts';
import type { Entries } from './entries.ts';
import { assertAllowed } from './faults.ts';
import { type GrantParts, grantChanges } from './grants.ts';
import { all, isFor, type Kind } from './layout.ts';
import { entryFor, modificationsFor, nameIn, type RecordShape, tenantRecord, userRecord } from './records.ts';

export interface ChangeParts extends GrantParts {
  /** EC2 pairs go with whom they are of. */
  db: Database;
}

/**
 * Changes of a directory. It has no transactions: what hangs on an entry is taken away before the entry itself, so that a deletion that
 * was cut off is ended by asking for it again.
 */
export function directoryChanges(parts: ChangeParts): IdentityChanges {
  const { entries, look, layout, db } = parts;
  const { user, tenant, role } = layout;
  const grants = grantChanges(parts);
  const records = { user: userRecord(layout), tenant: tenantRecord(layout) };
  const forgetPairs = async (column: 'user_id' | 'tenant_id', id: string) => {
    await db.knex('ec2_credential').where(column, id).delete();
  };
  return {
    getUser: look.getUser,
    getTenant: look.getTenant,
    getRole: look.getRole,
    createUser: given => createNamed(entries, records.user, look.userByName, given),
    updateUser: async (id, changes) => {
      const { name } = await look.getUser(id);
      // As with the original: a name may be what an entry is called by.
      if ('name' in changes && changes.name !== name)
        throw fault('Conflict', {}, { message: 'Cannot change user name' });
      await updateNamed(entries, records.user, id, changes);
      return look.getUser(id);
    },
    deleteUser: async id => {
      assertAllowed(user, 'delete');
      await look.getUser(id);
      await forgetPairs('user_id', id);
      await grants.forgetUser(id);
      if (!(await entries.remove(user.dnOf(id)))) throw fault('UserNotFound', { user_id: id });
    },
    createTenant: given => createNamed(entries, records.tenant, look.tenantByName, given),
    updateTenant: async (id, changes) => {
      const { name } = await look.getTenant(id);
      if ('name' in changes && changes.name !== name)
        throw fault('NotImplemented', {}, { message: 'Changing Name not supported by LDAP' });
      await updateNamed(entries, records.tenant, id, changes);
      return look.getTenant(id);
    },
    deleteTenant: async id => {
      assertAllowed(tenant, 'delete');
      await look.getTenant(id);
      await forgetPairs('tenant_id', id);
      await grants.forgetTenant(id);
      if (!(await entries.remove(tenant.dnOf(id)))) throw fault('TenantNotFound', { tenant_id: id });
    },
    createRole: async ({ id, name }) => {
      assertAllowed(role, 'create');
      if ((await look.roleByName(name)) !== null) throw taken(role, `Duplicate name, ${name}.`);
      const shape: RecordShape = {
        kind: role,
        fields: new Map(),
        secret: null,
        enabled: null,
        ignored: new Set(),
      };
      const entry = entryFor(shape, { id, name, extra: {} });
      if (!(await entries.add(role.dnOf(id), entry))) throw taken(role, `Duplicate ID, ${id}.`);
      await onlyOneNamed(entries, role, id, name);
    },
    deleteRole: async id => {
      assertAllowed(role, 'delete');
      await look.getRole(id);
      await grants.forgetRole(id);
      if (!(await entries.remove(role.dnOf(id)))) throw fault('RoleNotFound', { role_id: id });
    },
    addMember: grants.addMember,
    grantRole: grants.grantRole,
    revokeRole: grants.revokeRole,
  };
}

const taken = ({ name: type }: Kind, details: string) => fault('Conflict', { type, details });

async function createNamed(
  entries: Entries,
  shape: RecordShape,
  byName: (name: string) => Promise<Named | null>,
  given: Named,
): Promise<Named> {
  const { kind } = shape;
  const { id, name, extra } = given;
  assertAllowed(kind, 'create');
  const entry = entryFor(shape, given);
  if ((await byName(name)) !== null) throw taken(kind, `Duplicate name, ${name}.`);
  if (!(await entries.add(kind.dnOf(id), entry))) throw taken(kind, `Duplicate ID, ${id}.`);
  await onlyOneNamed(entries, kind, id, name);
  const { password: _hash, ...shown } = extra;
  return { id, name, extra: shown };
}

/** A directory lets two have one name: of those that are made in the same moment none stays that was not there first for sure. */
async function onlyOneNamed(entries: Entries, kind: Kind, id: string, name: string): Promise<void> {
  const found = await entries.search(kind.treeDn, {
    scope: 'one',
    filter: all(kind.filter, isFor(kind.nameAttribute, name)),
    attributes: [kind.idAttribute, kind.nameAttribute],
  });
  const others = found.filter(entry => {
    const other = kind.idOf(entry.dn);
    return other !== null && other !== id && nameIn(kind, entry, other).toLowerCase() === name.toLowerCase();
  });
  if (others.length === 0) return;
  await entries.remove(kind.dnOf(id));
  throw taken(kind, `Duplicate name, ${name}.`);
}

async function updateNamed(
  entries: Entries,
  shape: RecordShape,
  id: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { kind, enabled } = shape;
  assertAllowed(kind, 'update');
  const dn = kind.dnOf(id);
  const state = enabled === null || !('enabled' in changes) ? null : await stateOf(entries, dn, shape);
  const modifications = modificationsFor(shape, changes, state);
  if (modifications.length > 0) await entries.modify(dn, ...modifications);
}

async function stateOf(entries: Entries, dn: string, { kind, enabled }: RecordShape): Promise<string | null> {
  const attribute = enabled?.attribute ?? '';
  const [entry] = await entries.search(dn, { scope: 'base', filter: kind.filter, attributes: [attribute] });
  return entry?.values(attribute)[0] ?? null;
}
