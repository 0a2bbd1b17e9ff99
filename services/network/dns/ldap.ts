import { isoSeconds } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { networkFault } from '@folsom/nova/network-faults';
import { Attribute, Change, Client, DN, type Entry, EqualityFilter, PresenceFilter } from 'ldapts';
import type { DnsDriver } from './driver.ts';

export interface LdapDnsOptions {
  url: string;
  user: string;
  password: string;
  baseDn: string;
  /** What the SOA of a new domain says; times in seconds. */
  soa: {
    server: string;
    hostmaster: string;
    refresh: string;
    retry: string;
    expiry: string;
    minimum: string;
  };
  now(): number;
}

const REQUEST_MS = 10_000;
const CLASSES = ['domainrelatedobject', 'dnsdomain', 'domain', 'dcobject', 'top'];

const texts = (value: Entry[string] | undefined): string[] =>
  value === undefined ? [] : (Array.isArray(value) ? value : [value]).map(String);
/** Attribute names come back in the schema's spelling. */
const of = (entry: Entry, attribute: string): string[] => {
  const key = Object.keys(entry).find(name => name.toLowerCase() === attribute.toLowerCase());
  return key === undefined ? [] : texts(entry[key]);
};

/** `dc=NAME` below another entry, with what DN needs escaped. */
const below = (name: string, parent: string): string => `${new DN({ dc: name }).toString()},${parent}`;

/**
 * Folsom's LdapDNS: entries for PowerDNS with LDAP behind it (strict), domains at the top and address records alone. Names of one
 * address share an entry, as the original keeps them.
 */
export function ldapDns(options: LdapDnsOptions): DnsDriver {
  /** A bound connection for one piece of work: what is rare needs none that stays open. */
  const connected = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ url: options.url, timeout: REQUEST_MS, connectTimeout: REQUEST_MS });
    try {
      await client.bind(options.user, options.password);
      return await work(client);
    } finally {
      await client.unbind().catch(() => {});
    }
  };
  const search = async (
    client: Client,
    base: string,
    attribute: string,
    value?: string,
  ): Promise<Entry[]> => {
    const filter =
      value === undefined ? new PresenceFilter({ attribute }) : new EqualityFilter({ attribute, value });
    return (await client.search(base, { scope: 'sub', filter })).searchEntries;
  };
  const domainEntry = async (client: Client, domain: string): Promise<Entry | undefined> =>
    (await search(client, options.baseDn, 'associatedDomain', domain))[0];
  const mustHave = async (client: Client, domain: string): Promise<string> => {
    const entry = await domainEntry(client, domain);
    if (entry === undefined) throw novaFault('NotFound');
    return entry.dn;
  };
  const hostEntry = async (client: Client, dn: string, name: string, domain: string) =>
    (await search(client, dn, 'associatedDomain', `${name}.${domain}`))[0];
  const soaText = (): string => {
    const { server, hostmaster, refresh, retry, expiry, minimum } = options.soa;
    const serial = isoSeconds(options.now()).replace(/\D/g, '').slice(0, 14);
    return [server, hostmaster, serial, refresh, retry, expiry, minimum].join(' ');
  };
  const change = (
    client: Client,
    dn: string,
    operation: 'add' | 'delete' | 'replace',
    type: string,
    value: string,
  ) => client.modify(dn, new Change({ operation, modification: new Attribute({ type, values: [value] }) }));
  const touch = (client: Client, dn: string) => change(client, dn, 'replace', 'sOARecord', soaText());

  const add = async (client: Client, dn: string, name: string, address: string, domain: string) => {
    if ((await hostEntry(client, dn, name, domain)) !== undefined)
      throw networkFault('FloatingIpDNSExists', { name, domain });
    const full = `${name}.${domain}`;
    const [shared] = (await search(client, dn, 'aRecord', address)).filter(entry => entry.dn !== dn);
    if (shared !== undefined) await change(client, shared.dn, 'add', 'associatedDomain', full);
    else {
      const attributes = { objectClass: CLASSES, aRecord: address, associatedDomain: full, dc: name };
      await client.add(below(name, dn), attributes);
    }
    await touch(client, dn);
  };
  const remove = async (client: Client, dn: string, name: string, domain: string) => {
    const entry = await hostEntry(client, dn, name, domain);
    if (entry === undefined) throw novaFault('NotFound');
    const full = `${name}.${domain}`;
    const [next] = of(entry, 'associatedDomain').filter(other => other.toLowerCase() !== full.toLowerCase());
    if (next === undefined) await client.del(entry.dn);
    else {
      await change(client, entry.dn, 'delete', 'associatedDomain', full);
      // An entry that is called by the name that went takes one that stays.
      const called = of(entry, 'dc').some(dc => dc.toLowerCase() === name.toLowerCase());
      if (called) await client.modifyDN(entry.dn, below(next.slice(0, -(domain.length + 1)), dn));
    }
    await touch(client, dn);
  };

  return {
    keeps: true,
    domains: () =>
      connected(async client =>
        (await search(client, options.baseDn, 'sOARecord')).flatMap(entry =>
          of(entry, 'associatedDomain').slice(0, 1),
        ),
      ),
    createDomain: domain =>
      connected(async client => {
        if ((await domainEntry(client, domain)) !== undefined)
          throw networkFault('FloatingIpDNSExists', { name: domain, domain: '' });
        const attributes = {
          objectClass: CLASSES,
          sOARecord: soaText(),
          associatedDomain: domain,
          dc: domain,
        };
        await client.add(below(domain, options.baseDn), attributes);
      }),
    deleteDomain: domain =>
      connected(async client => {
        const dn = await mustHave(client, domain);
        for (const entry of await search(client, dn, 'aRecord'))
          if (entry.dn !== dn) await client.del(entry.dn);
        await client.del(dn);
      }),
    createEntry: async ({ name, domain, address, type }) => {
      if (type.toUpperCase() !== 'A')
        throw novaFault('InvalidInput', { reason: "This driver only supports type 'a' entries." });
      return connected(async client => add(client, await mustHave(client, domain), name, address, domain));
    },
    deleteEntry: (name, domain) =>
      connected(async client => remove(client, await mustHave(client, domain), name, domain)),
    modifyAddress: (name, address, domain) =>
      connected(async client => {
        const dn = await mustHave(client, domain);
        const entry = await hostEntry(client, dn, name, domain);
        if (entry === undefined) throw novaFault('NotFound');
        if (of(entry, 'associatedDomain').length === 1) {
          await change(client, entry.dn, 'replace', 'aRecord', address);
          return touch(client, dn);
        }
        await remove(client, dn, name, domain);
        await add(client, dn, name, address, domain);
      }),
    namesOf: (address, domain) =>
      connected(async client => {
        const entry = await domainEntry(client, domain);
        if (entry === undefined) return [];
        const tail = `.${domain.toLowerCase()}`;
        return (await search(client, entry.dn, 'aRecord', address))
          .flatMap(host => of(host, 'associatedDomain'))
          .filter(name => name.toLowerCase().endsWith(tail))
          .map(name => name.slice(0, -tail.length));
      }),
    addressesOf: (name, domain) =>
      connected(async client => {
        const entry = await domainEntry(client, domain);
        const host = entry === undefined ? undefined : await hostEntry(client, entry.dn, name, domain);
        return host === undefined ? [] : of(host, 'aRecord').slice(0, 1);
      }),
    refresh: async () => {},
    stop: async () => {},
  };
}
