import type { Database } from '@folsom/db';
import type { NameServer } from '@folsom/host/name-server';
import { novaFault } from '@folsom/nova/faults';
import { networkFault } from '@folsom/nova/network-faults';
import { type DnsDriver, qualified } from './driver.ts';

/** A row of `folsom_dns_entries`: a name and its address; a domain is a row of its own name without an address. */
interface Row {
  fqdn: string;
  domain: string;
  address: string | null;
}

const TYPES: Readonly<Record<string, boolean>> = { A: false, AAAA: true };

/**
 * Names that really are answered: they are rows, which every network host reads, and each host's dnsmasq answers from them. A change
 * shows at once on the host that made it, on others with their next periodic work.
 */
export function servedDns(db: Database, server: NameServer): DnsDriver {
  const table = () => db.knex('folsom_dns_entries');
  const refresh = async (): Promise<void> => {
    const rows: Row[] = await table()
      .whereNotNull('address')
      .orderBy('fqdn')
      .select('fqdn', 'domain', 'address');
    await server.update(rows.map(row => ({ name: row.fqdn, address: row.address ?? '' })));
  };
  /** Two at once: the key of the table lets one of them be first. */
  const insert = async (row: Row, exists: () => Error): Promise<void> => {
    await table().insert(row).onConflict('fqdn').ignore();
    const kept: Row | undefined = await table().where('fqdn', row.fqdn).first();
    if (kept?.address !== row.address || kept.domain !== row.domain) throw exists();
  };
  const lower = (text: string): string => text.toLowerCase();
  return {
    keeps: true,
    domains: async () => (await table().whereNull('address').orderBy('fqdn').pluck('fqdn')) as string[],
    async createDomain(domain) {
      const fqdn = lower(domain);
      if ((await table().where({ fqdn }).first('fqdn')) !== undefined)
        throw networkFault('FloatingIpDNSExists', { name: domain, domain: '' });
      const exists = () => networkFault('FloatingIpDNSExists', { name: domain, domain: '' });
      await insert({ fqdn, domain: fqdn, address: null }, exists);
      await refresh();
    },
    async deleteDomain(domain) {
      if ((await table().where('domain', lower(domain)).delete()) === 0) throw novaFault('NotFound');
      await refresh();
    },
    async createEntry({ name, domain, address, type }) {
      const six = TYPES[type.toUpperCase()];
      if (six === undefined || six !== address.includes(':'))
        throw novaFault('InvalidInput', { reason: `type ${type} does not go with ${address}` });
      const at = lower(domain);
      if ((await table().where({ fqdn: at, domain: at }).whereNull('address').first('fqdn')) === undefined)
        throw novaFault('NotFound');
      const exists = () => networkFault('FloatingIpDNSExists', { name, domain });
      const fqdn = lower(qualified(name, domain));
      if ((await table().where({ fqdn }).first('fqdn')) !== undefined) throw exists();
      await insert({ fqdn, domain: at, address }, exists);
      await refresh();
    },
    async deleteEntry(name, domain) {
      const gone = await table()
        .where({ fqdn: lower(qualified(name, domain)), domain: lower(domain) })
        .whereNotNull('address')
        .delete();
      if (gone === 0) throw novaFault('NotFound');
      await refresh();
    },
    async modifyAddress(name, address, domain) {
      const at = { fqdn: lower(qualified(name, domain)), domain: lower(domain) };
      if ((await table().where(at).whereNotNull('address').first('fqdn')) === undefined)
        throw novaFault('NotFound');
      await table().where(at).update({ address });
      await refresh();
    },
    async namesOf(address, domain) {
      const names: string[] = await table()
        .where({ address, domain: lower(domain) })
        .orderBy('fqdn')
        .pluck('fqdn');
      return names.map(name => name.slice(0, -(domain.length + 1)));
    },
    async addressesOf(name, domain) {
      const at = { fqdn: lower(qualified(name, domain)), domain: lower(domain) };
      return (await table().where(at).whereNotNull('address').pluck('address')) as string[];
    },
    refresh,
    stop: () => server.stop(),
  };
}
