import {
  bigint,
  int,
  longtext,
  required,
  serial,
  string,
  type Table,
  table,
  text,
  uuid,
  varchar,
} from './table.ts';

/** Tables of our own; an original on the same database does not see them. */
export const ownTables = [
  // Messages that are rows before they go to the bus.
  table(
    'folsom_outbox',
    {
      id: serial,
      message_id: required(varchar(32)),
      topic: required(string),
      body: required(longtext),
      /** The process that hands it on, and until when it is its; milliseconds since the epoch. */
      owner: required(string),
      lease_until: required(bigint),
      created_at: required(bigint),
      /** Why it was put aside; null while it is to be delivered. */
      dead_reason: text,
    },
    { indexes: { folsom_outbox_owner: ['owner'], folsom_outbox_lease: ['lease_until'] } },
  ),
  // Where a scheduler put an instance, one row an attempt: of two schedulers with the same message one writes it.
  table(
    'folsom_placements',
    {
      instance_uuid: required(uuid),
      attempt: required(int),
      host: required(string),
      created_at: required(bigint),
    },
    { primaryKey: ['instance_uuid', 'attempt'] },
  ),
  // Names that dnsmasq answers, and the domains they are in, which are rows of their own name without an address.
  table(
    'folsom_dns_entries',
    { fqdn: required(string), domain: required(string), address: varchar(39) },
    {
      primaryKey: ['fqdn'],
      indexes: { folsom_dns_entries_domain: ['domain'], folsom_dns_entries_address: ['address'] },
    },
  ),
  // One row for each thing that is changed by one transaction at a time: tenants' quotas, users' keys.
  table('folsom_locks', { name: required(string) }, { primaryKey: ['name'] }),
] as const satisfies readonly Table[];
