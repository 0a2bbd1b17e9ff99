import { Attribute, Change, type Entry, type Filter } from 'ldapts';
import type { Connections } from './connections.ts';
import { CODES, codeOf } from './faults.ts';

/** An entry that was found, with the attributes that were asked for. */
export interface Found {
  dn: string;
  /** Values of an attribute, whatever its spelling; such that are no text are left out. */
  values(attribute: string): string[];
}

export interface Search {
  scope: 'base' | 'one' | 'sub';
  filter: Filter;
  attributes: readonly string[];
}

/** An attribute and what it becomes; none: it goes. */
export interface Modification {
  how: 'add' | 'delete' | 'replace';
  attribute: string;
  values: readonly string[];
}

/** What is done with a directory, in entries. */
export interface Entries {
  /** Read page by page; nothing where the base is not there. */
  search(base: string, search: Search): Promise<Found[]>;
  /** False: it is there already. */
  add(dn: string, attributes: Readonly<Record<string, readonly string[]>>): Promise<boolean>;
  /** False: there is no such entry. */
  modify(dn: string, ...modifications: readonly Modification[]): Promise<boolean>;
  /** False: there is no such entry. */
  remove(dn: string): Promise<boolean>;
}

/** No attribute at all (RFC 4511). */
export const NO_ATTRIBUTES = ['1.1'] as const;

export function entriesOf({ use }: Pick<Connections, 'use'>, pageSize: number): Entries {
  const unless = async (code: number, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work();
      return true;
    } catch (error) {
      if (codeOf(error) === code) return false;
      throw error;
    }
  };
  return {
    search: async (base, { scope, filter, attributes }) => {
      try {
        const found = await use('searching', client =>
          client.search(base, {
            scope,
            filter,
            attributes: [...attributes],
            ...(scope === 'base' ? {} : { paged: { pageSize } }),
          }),
        );
        return found.searchEntries.map(foundFrom);
      } catch (error) {
        const code = codeOf(error);
        if (code === CODES.noSuchObject || code === CODES.invalidDnSyntax) return [];
        throw error;
      }
    },
    add: (dn, attributes) =>
      unless(CODES.entryAlreadyExists, () =>
        use('changing', client =>
          client.add(
            dn,
            Object.entries(attributes).map(([type, values]) => new Attribute({ type, values: [...values] })),
          ),
        ),
      ),
    modify: (dn, ...modifications) =>
      unless(CODES.noSuchObject, () =>
        use('changing', client => client.modify(dn, modifications.map(changeFrom))),
      ),
    remove: dn => unless(CODES.noSuchObject, () => use('changing', client => client.del(dn))),
  };
}

const changeFrom = ({ how, attribute, values }: Modification): Change =>
  new Change({ operation: how, modification: new Attribute({ type: attribute, values: [...values] }) });

function foundFrom(entry: Entry): Found {
  const byName = new Map<string, string[]>();
  for (const [name, value] of Object.entries(entry)) {
    if (name === 'dn') continue;
    const texts = (Array.isArray(value) ? value : [value]).filter(one => typeof one === 'string');
    byName.set(name.toLowerCase(), texts);
  }
  return { dn: entry.dn, values: attribute => byName.get(attribute.toLowerCase()) ?? [] };
}
