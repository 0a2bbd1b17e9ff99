import { isFault, type Logger, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { dnsDomain, dnsDomains, registerDnsDomain, unregisterDnsDomain } from '@folsom/nova/dns-domains';
import type { networkContract } from '@folsom/nova/rpc/network';
import type { Handlers } from '@folsom/rpc';
import type { Names } from './choose.ts';

/** What is needed of nova-network. */
interface NamesSeam {
  db: Database;
  world: World;
  log: Logger;
  dns: Names;
}

type All = Handlers<typeof networkContract.methods>;

/** A domain that the driver has is only given to somebody else. */
const unlessThere = (error: unknown): void => {
  if (!isFault(error, 'FloatingIpDNSExists')) throw error;
};

/** Domains, and the names that users enter for floating addresses. */
export const ofNames = (seam: NamesSeam) => {
  const { db, world, log } = seam;
  const { floating, instances } = seam.dns;
  const now = () => world.clock.now();
  return {
    get_dns_domains: async () => {
      const kept = new Set([...(await floating.domains()), ...(await instances.domains())]);
      const rows = await dnsDomains(db);
      const missing = rows.filter(row => !kept.has(row.domain)).map(row => row.domain);
      // The driver that keeps nothing has none of them, and that is no news.
      if (missing.length > 0 && (floating.keeps || instances.keeps))
        log.warn('domains of the database that no DNS driver has are not shown', { missing });
      return rows
        .filter(row => kept.has(row.domain))
        .map(({ domain, scope, availability_zone, project_id: project }) =>
          scope === 'private' ? { domain, scope, availability_zone } : { domain, scope, project },
        );
    },
    create_private_dns_domain: async (_context, { domain, av_zone: availability_zone }) => {
      await registerDnsDomain(db, domain, { scope: 'private', availability_zone }, now());
      await instances.createDomain(domain).catch(unlessThere);
      return null;
    },
    create_public_dns_domain: async (_context, { domain, project: project_id }) => {
      await registerDnsDomain(db, domain, { scope: 'public', project_id }, now());
      await floating.createDomain(domain).catch(unlessThere);
      return null;
    },
    delete_dns_domain: async (_context, { domain }) => {
      const row = await dnsDomain(db, domain);
      await (row?.scope === 'private' ? instances : floating).deleteDomain(domain);
      await unregisterDnsDomain(db, domain);
      return null;
    },
    add_dns_entry: async (_context, { name, address, dns_type: type, domain }) => {
      await floating.createEntry({ name, address, type, domain });
      return null;
    },
    modify_dns_entry: async (_context, { name, address, domain }) => {
      await floating.modifyAddress(name, address, domain);
      return null;
    },
    delete_dns_entry: async (_context, { name, domain }) => {
      await floating.deleteEntry(name, domain);
      return null;
    },
    get_dns_entries_by_address: (_context, { address, domain }) => floating.namesOf(address, domain),
    get_dns_entries_by_name: (_context, { name, domain }) => floating.addressesOf(name, domain),
  } satisfies Partial<All>;
};

/** A floating address that is given back has no names any more: the next one who gets it must not have them. */
export async function forgetNamesOf({ db, dns, log }: NamesSeam, address: string): Promise<void> {
  if (!dns.floating.keeps) return;
  for (const { domain } of await dnsDomains(db)) {
    for (const name of await dns.floating.namesOf(address, domain)) {
      await dns.floating.deleteEntry(name, domain).catch(error => {
        if (!isFault(error, 'NotFound')) throw error;
      });
      log.info('a name went with its floating address', { name, domain, address });
    }
  }
}

/** Whether instances of that zone have names in the domain of instances. */
async function named({ db, dns, log }: NamesSeam, uuid: string): Promise<{ name: string } | undefined> {
  if (!dns.instances.keeps || !dns.instanceDomain) return undefined;
  const instance = await instanceNames(db, uuid);
  if (instance === undefined) return undefined;
  const zone = (await dnsDomain(db, dns.instanceDomain))?.availability_zone ?? null;
  if (zone === null || zone === instance.zone) return { name: instance.name };
  log.warn('an instance has no name: the domain is of another zone', { instance: uuid, zone });
  return undefined;
}

async function instanceNames(
  db: Database,
  uuid: string,
): Promise<{ name: string; zone: string | null } | undefined> {
  const row: { hostname: string | null; availability_zone: string | null } | undefined = await db
    .knex('instances')
    .where({ uuid })
    .first('hostname', 'availability_zone');
  return row === undefined ? undefined : { name: row.hostname || uuid, zone: row.availability_zone };
}

/**
 * An instance that got an address has it under its name and its uuid. A name that another one has is left to it, and a name service
 * that is away costs nobody his guest: both are logged.
 */
export async function enterInstance(seam: NamesSeam, uuid: string, address: string): Promise<void> {
  const { instances, instanceDomain: domain } = seam.dns;
  try {
    const instance = await named(seam, uuid);
    if (instance === undefined) return;
    // What an earlier holder of the address left, when the name service was away at its end.
    for (const left of await instances.namesOf(address, domain)) await instances.deleteEntry(left, domain);
    for (const name of new Set([instance.name, uuid])) {
      const entry = { name, address, type: 'A', domain };
      await instances.createEntry(entry).catch(error => {
        if (!isFault(error, 'FloatingIpDNSExists')) throw error;
        seam.log.warn('the name of an instance is another one’s already', { instance: uuid, name, domain });
      });
    }
  } catch (error) {
    seam.log.error('an instance has no name in its domain', { instance: uuid, domain, error });
  }
}

/** Its address goes, and its names with it. */
export async function removeInstance(seam: NamesSeam, address: string): Promise<void> {
  const { instances, instanceDomain: domain } = seam.dns;
  if (!instances.keeps || !domain) return;
  try {
    for (const name of await instances.namesOf(address, domain)) await instances.deleteEntry(name, domain);
  } catch (error) {
    seam.log.error('names of an address are left in the domain of instances', { address, domain, error });
  }
}
