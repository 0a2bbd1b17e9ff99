/** An address record, as names are said within a domain: `www` of `example.org`. */
export interface DnsEntry {
  name: string;
  domain: string;
  address: string;
  /** `A`; drivers that know more say so. */
  type: string;
}

/**
 * Where names are kept, as Folsom's DNS managers: `floating_ip_dns_manager` for what users enter, `instance_dns_manager` for
 * instances.
 */
export interface DnsDriver {
  /** False where nothing is kept: then nobody needs to be asked. */
  readonly keeps: boolean;
  domains(): Promise<string[]>;
  /** @throws Fault `FloatingIpDNSExists` */
  createDomain(domain: string): Promise<void>;
  /** With its entries. @throws Fault `NotFound` */
  deleteDomain(domain: string): Promise<void>;
  /** @throws Fault `FloatingIpDNSExists`, `InvalidInput` (a type it does not know), `NotFound` (the domain) */
  createEntry(entry: DnsEntry): Promise<void>;
  /** @throws Fault `NotFound` */
  deleteEntry(name: string, domain: string): Promise<void>;
  /** @throws Fault `NotFound` */
  modifyAddress(name: string, address: string, domain: string): Promise<void>;
  /** Names of an address within a domain. */
  namesOf(address: string, domain: string): Promise<string[]>;
  /** Addresses of a name; empty for one that is not there. */
  addressesOf(name: string, domain: string): Promise<string[]>;
  /** What has to be put right from time to time, and at the start. */
  refresh(): Promise<void>;
  /** What runs for it ends; what is kept stays. */
  stop(): Promise<void>;
}

/** Keeps nothing (`nova.network.dns_driver.DNSDriver`, the default). */
export const noDns: DnsDriver = {
  keeps: false,
  domains: async () => [],
  createDomain: async () => {},
  deleteDomain: async () => {},
  createEntry: async () => {},
  deleteEntry: async () => {},
  modifyAddress: async () => {},
  namesOf: async () => [],
  addressesOf: async () => [],
  refresh: async () => {},
  stop: async () => {},
};

/** `www` and `example.org` as one name. */
export const qualified = (name: string, domain: string): string => (domain ? `${name}.${domain}` : name);
