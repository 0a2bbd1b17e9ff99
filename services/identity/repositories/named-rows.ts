import type { Fault } from '@folsom/core';
import type { Database, Knex } from '@folsom/db';
import { refuseDuplicates } from './duplicates.ts';
import { type Extra, readExtra, splitExtra, writeExtra } from './stored-json.ts';

/** How tenants and users are stored alike: two columns, and the rest as JSON. */
export interface Named {
  id: string;
  name: string;
  extra: Extra;
}

interface Row {
  id: string;
  name: string;
  extra: string | null;
}

/** A part of a list: what comes after `marker`, at most `limit`. */
export interface Page {
  marker?: string | undefined;
  limit?: number | undefined;
}

const fromRow = (row: Row): Named => ({ id: row.id, name: row.name, extra: readExtra(row.extra) });

/** The questions that both tables are asked; `missing` is the fault for an id that is not there. */
export function namedRows(table: 'tenant' | 'user', missing: (id: string) => Fault) {
  const other = table === 'tenant' ? 'user' : 'tenant';
  const find = async (knex: Knex, id: string): Promise<Named | null> => {
    const row = await knex<Row>(table).where({ id }).first();
    return row ? fromRow(row) : null;
  };
  return {
    find,
    get: async (knex: Knex, id: string): Promise<Named> => {
      const found = await find(knex, id);
      if (!found) throw missing(id);
      return found;
    },
    list: async (knex: Knex): Promise<Named[]> => (await knex<Row>(table).select()).map(fromRow),
    /** A page in the order of {@link list}; null when there is no such marker. */
    page: async ({ knex, kind }: Database, page: Page): Promise<Named[] | null> => {
      // How a table without an order is read: as it was filled, or by its key.
      const order = kind === 'sqlite' ? 'rowid' : 'id';
      const query = knex<Row>(table).select('id', 'name', 'extra').orderBy(order);
      if (page.marker !== undefined) {
        const at = await knex(table)
          .where({ id: page.marker })
          .first<{ position: string | number } | undefined>({ position: order });
        if (at === undefined) return null;
        query.where(order, '>', at.position);
      }
      if (page.limit !== undefined) query.limit(page.limit);
      return (await query).map(fromRow);
    },
    /** The tenants a user is a member of, or the users of a tenant, in the order of their ids. */
    listMembers: async (knex: Knex, id: string, page: Page = {}): Promise<Named[]> => {
      const query = knex('user_tenant_membership as m')
        .join(table, `${table}.id`, `m.${table}_id`)
        .where(`m.${other}_id`, id)
        .orderBy(`m.${table}_id`)
        .select(`${table}.id`, `${table}.name`, `${table}.extra`);
      if (page.marker !== undefined) query.where(`m.${table}_id`, '>', page.marker);
      if (page.limit !== undefined) query.limit(page.limit);
      const rows: Row[] = await query;
      return rows.map(fromRow);
    },
    isMember: async (knex: Knex, ownId: string, otherId: string): Promise<boolean> =>
      (await knex('user_tenant_membership')
        .where({ [`${table}_id`]: ownId, [`${other}_id`]: otherId })
        .first(`${table}_id`)) !== undefined,
    create: async (knex: Knex, { id, name, extra }: Named): Promise<void> => {
      await refuseDuplicates(table, () => knex(table).insert({ id, name, extra: writeExtra(extra) }));
    },
    /** Lays the changes over what is stored. The id never changes. */
    update: async (
      trx: Knex,
      id: string,
      changes: Readonly<Record<string, unknown>>,
    ): Promise<{ before: Named; after: Named }> => {
      const row = await trx<Row>(table).where({ id }).forUpdate().first();
      if (!row) throw missing(id);
      const before = fromRow(row);
      const after: Named = {
        id,
        name: 'name' in changes ? String(changes.name) : before.name,
        extra: { ...before.extra, ...splitExtra(changes, ['name']) },
      };
      await refuseDuplicates(table, () =>
        trx(table)
          .where({ id })
          .update({ name: after.name, extra: writeExtra(after.extra) }),
      );
      return { before, after };
    },
    /** With its memberships, grants and EC2 credentials. */
    delete: async (trx: Knex, id: string): Promise<void> => {
      for (const dependent of ['user_tenant_membership', 'metadata', 'ec2_credential']) {
        await trx(dependent)
          .where({ [`${table}_id`]: id })
          .delete();
      }
      if (!(await trx(table).where({ id }).delete())) throw missing(id);
    },
  };
}
