import { isEnabled } from '../enabled.ts';
import { fault, invalid } from '../faults.ts';
import type { Named } from '../repositories/named-rows.ts';
import type { Found, Modification } from './entries.ts';
import { DUMB_MEMBER, type EnabledAttribute, type Kind, type Layout } from './layout.ts';

/** How the fields of a user or tenant stand in its entry, as attributes by field. */
export interface RecordShape {
  kind: Kind;
  /** Fields beside id and name that are kept as text. */
  fields: ReadonlyMap<string, string>;
  /** Of the password: written, never read. */
  secret: string | null;
  enabled: EnabledAttribute | null;
  /** Taken, and neither kept nor read. */
  ignored: ReadonlySet<string>;
}

/** Of those, the original's: memberships say which tenants a user has. */
const NOT_KEPT = ['id', 'name', 'extra', 'tenantId', 'tenant_id', 'tenants'];

export const userRecord = ({ user, ignored }: Layout): RecordShape => ({
  kind: user,
  fields: new Map([
    ['email', user.mailAttribute],
    ['description', 'description'],
  ]),
  secret: user.passAttribute,
  enabled: user.enabled,
  ignored: new Set([...NOT_KEPT, ...ignored.user]),
});

export const tenantRecord = ({ tenant, ignored }: Layout): RecordShape => ({
  kind: tenant,
  fields: new Map([['description', 'description']]),
  secret: null,
  enabled: tenant.enabled,
  ignored: new Set([...NOT_KEPT, ...ignored.tenant]),
});

/** What has to be asked for to read a record. */
export const attributesOf = ({ kind, fields, enabled }: RecordShape): string[] => [
  kind.idAttribute,
  kind.nameAttribute,
  ...fields.values(),
  ...(enabled === null ? [] : [enabled.attribute]),
];

/** Where one attribute holds both, the name is the value that is not the id. */
export function nameIn({ nameAttribute }: Kind, entry: Found, id: string): string {
  const values = entry.values(nameAttribute);
  return values.find(value => value !== id) ?? values[0] ?? id;
}

/** The user or tenant in an entry; null for an entry that stands for none. */
export function readRecord({ kind, fields, enabled, ignored }: RecordShape, entry: Found): Named | null {
  const id = kind.idOf(entry.dn);
  if (id === null) return null;
  const extra: Record<string, unknown> = {};
  for (const [field, attribute] of fields) {
    const [value] = entry.values(attribute);
    if (value !== undefined && !ignored.has(field)) extra[field] = value;
  }
  const by = ignored.has('enabled') ? null : enabled;
  const state = by === null ? undefined : entry.values(by.attribute)[0];
  if (by !== null && state !== undefined)
    extra.enabled = by.mask === 0 ? isEnabled({ enabled: state }) : (bitsOf(state) & by.mask) === 0;
  return { id, name: nameIn(kind, entry, id), extra };
}

const bitsOf = (text: string): number => {
  const bits = Number(text);
  // What is no number says nothing for letting somebody in.
  return Number.isSafeInteger(bits) ? bits : -1;
};

/** A new entry. @throws 400 and 501 for what it cannot hold */
export function entryFor(record: RecordShape, { id, name, extra }: Named): Record<string, string[]> {
  const { kind, enabled } = record;
  const classes = [...new Set([...(kind.name === 'user' ? ['person'] : []), kind.objectClass])];
  const entry: Record<string, string[]> = { objectClass: classes, [kind.idAttribute]: [id] };
  add(entry, kind.nameAttribute, name);
  // A person has both, whatever the id and the name are called.
  if (kind.name === 'user') for (const attribute of ['cn', 'sn']) ensure(entry, attribute, name);
  if (kind.objectClass.toLowerCase() === 'groupofnames') entry.member = [DUMB_MEMBER];
  for (const { attribute, values } of modificationsFor(record, extra, null))
    for (const value of values) add(entry, attribute, value);
  if (enabled !== null) ensure(entry, enabled.attribute, enabled.mask === 0 ? 'TRUE' : enabled.fallback);
  return entry;
}

const keyOf = (entry: Record<string, string[]>, attribute: string): string =>
  Object.keys(entry).find(key => key.toLowerCase() === attribute.toLowerCase()) ?? attribute;

function add(entry: Record<string, string[]>, attribute: string, value: string): void {
  const key = keyOf(entry, attribute);
  entry[key] = [...new Set([value, ...(entry[key] ?? [])])];
}

function ensure(entry: Record<string, string[]>, attribute: string, value: string): void {
  if (entry[keyOf(entry, attribute)] === undefined) entry[attribute] = [value];
}

/**
 * What changes of fields are in attributes; `state` is the stored value of the attribute that enables, if there is one.
 *
 * @throws 400 for a field that an entry has no place for, 501 where nothing could disable
 */
export function modificationsFor(
  { kind, fields, secret, enabled, ignored }: RecordShape,
  changes: Readonly<Record<string, unknown>>,
  state: string | null,
): Modification[] {
  return Object.entries(changes).flatMap(([field, value]): Modification[] => {
    if (ignored.has(field)) return [];
    if (field === 'enabled') return enabledFor(kind, enabled, isEnabled(changes), state);
    const attribute = field === 'password' ? (secret ?? undefined) : fields.get(field);
    if (attribute === undefined) {
      if (value === null || value === '') return [];
      throw invalid(`The directory has no place for ${field.slice(0, 64)} of a ${kind.name}`);
    }
    if (typeof value === 'object' && value !== null)
      throw invalid(`${field.slice(0, 64)} is not a string or unicode`);
    const empty = value === null || value === undefined || value === '';
    return [{ how: 'replace', attribute, values: empty ? [] : [String(value)] }];
  });
}

function enabledFor(
  kind: Kind,
  by: EnabledAttribute | null,
  wanted: boolean,
  state: string | null,
): Modification[] {
  if (by === null) {
    if (wanted) return [];
    // Folsom's own says yes and changes nothing: who was disabled goes on logging in.
    const message = `The directory cannot disable a ${kind.name}: [ldap] ${kind.name}_enabled_attribute is not set`;
    throw fault('NotImplemented', {}, { message });
  }
  const { attribute, mask } = by;
  if (mask === 0) return [{ how: 'replace', attribute, values: [wanted ? 'TRUE' : 'FALSE'] }];
  const bits = bitsOf(state ?? by.fallback);
  const known = Math.max(bits, 0);
  return [{ how: 'replace', attribute, values: [String(wanted ? known & ~mask : known | mask)] }];
}
