import { join } from 'node:path';
import { ConfigError } from '@folsom/config';
import type { Clock } from '@folsom/core';
import type { Database } from '@folsom/db';
import { nameServer } from '@folsom/host/name-server';
import type { Runner } from '@folsom/host/runner';
import type { NovaSettings } from '@folsom/nova/options';
import { type DnsDriver, noDns } from './driver.ts';
import { ldapDns } from './ldap.ts';
import { miniDns } from './minidns.ts';
import { servedDns } from './served.ts';

/** What nova-network asks for names. */
export interface Names {
  floating: DnsDriver;
  instances: DnsDriver;
  /** Domain of instances' names; empty for none. */
  instanceDomain: string;
  /** File of the names that dnsmasq answers, for the servers of guests' networks; undefined where it answers none. */
  namesFile: string | undefined;
}

const DRIVERS = {
  'nova.network.dns_driver.DNSDriver': 'none',
  'nova.network.minidns.MiniDNS': 'minidns',
  'nova.network.ldapdns.LdapDNS': 'ldap',
  dnsmasq: 'dnsmasq',
} as const;
type Kind = (typeof DRIVERS)[keyof typeof DRIVERS];

/** @throws ConfigError for a class that is none of them */
function kindOf(option: string, path: string): Kind {
  if (Object.hasOwn(DRIVERS, path)) return DRIVERS[path as keyof typeof DRIVERS];
  throw new ConfigError(`${option} ${path} is not supported: use one of ${Object.keys(DRIVERS).join(', ')}`);
}

/** The drivers that `floating_ip_dns_manager` and `instance_dns_manager` name; one that both name is one. */
export function chooseNames(
  settings: NovaSettings,
  seam: { db: Database; clock: Clock; runner: Runner; asRoot: boolean },
): Names {
  const server = nameServer({
    ...{ runner: seam.runner, asRoot: seam.asRoot, directory: settings.networks_path },
    ...{ listenAddress: settings.dnsmasq_dns_listen, port: settings.dnsmasq_dns_port },
  });
  const make: Record<Kind, () => DnsDriver> = {
    none: () => noDns,
    minidns: () => miniDns(join(settings.state_path, 'dnstest.txt')),
    ldap: () =>
      ldapDns({
        ...{ url: settings.ldap_dns_url, user: settings.ldap_dns_user, password: settings.ldap_dns_password },
        baseDn: settings.ldap_dns_base_dn,
        soa: {
          server: settings.ldap_dns_servers[0] ?? '',
          hostmaster: settings.ldap_dns_soa_hostmaster,
          refresh: settings.ldap_dns_soa_refresh,
          retry: settings.ldap_dns_soa_retry,
          expiry: settings.ldap_dns_soa_expiry,
          minimum: settings.ldap_dns_soa_minimum,
        },
        now: () => seam.clock.now(),
      }),
    dnsmasq: () => servedDns(seam.db, server),
  };
  const kinds = [
    kindOf('floating_ip_dns_manager', settings.floating_ip_dns_manager),
    kindOf('instance_dns_manager', settings.instance_dns_manager),
  ] as const;
  const floating = make[kinds[0]]();
  return {
    floating,
    instances: kinds[1] === kinds[0] ? floating : make[kinds[1]](),
    instanceDomain: settings.instance_dns_domain,
    namesFile: kinds.includes('dnsmasq') ? server.hostsFile : undefined,
  };
}
