import { Resolver } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { adminContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { nameServer } from '@folsom/host/name-server';
import { hostRunner } from '@folsom/host/runner';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { eventually, freePort, type LdapServer, serverMissing, startSlapd, tempDir } from '@folsom/testing';
import { Client } from 'ldapts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNetwork } from '../index.ts';
import type { DnsDriver } from './driver.ts';
import { ldapDns } from './ldap.ts';
import { miniDns } from './minidns.ts';
import { servedDns } from './served.ts';

const dir = tempDir('folsom-dns');
afterAll(() => dir.remove());
const dnsmasq = existsSync('/usr/sbin/dnsmasq') || process.env.CI === 'true';
if (!dnsmasq) console.warn('names: dnsmasq is not installed, what it answers is left out');

const baseDn = 'ou=hosts,dc=example,dc=org';
const ldapOf = (server: Pick<LdapServer, 'url' | 'rootDn' | 'rootPassword'>): DnsDriver =>
  ldapDns({
    ...{ url: server.url, user: server.rootDn, password: server.rootPassword, baseDn },
    soa: {
      ...{ server: 'dns.example.org', hostmaster: 'hostmaster@example.org' },
      ...{ refresh: '1800', retry: '3600', expiry: '86400', minimum: '7200' },
    },
    now: () => Date.UTC(2012, 8, 27, 10),
  });

/** What the name server says of a name; an empty list for one that it says does not exist. */
async function asked(port: number, name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return resolver.resolve4(name).catch(error => {
    if (['ENOTFOUND', 'ENODATA'].includes(error.code)) return [];
    throw error;
  });
}

interface Kind {
  driver: DnsDriver;
  stop(): Promise<void>;
}

const kinds: Record<string, { there: boolean; make(): Promise<Kind> }> = {
  MiniDNS: {
    there: true,
    make: async () => ({ driver: miniDns(join(dir.path, 'dnstest.txt')), stop: async () => {} }),
  },
  dnsmasq: {
    there: dnsmasq,
    make: async () => {
      const db = await openDatabase({ connection: 'sqlite://' });
      await dbSync(db, 'nova');
      const place = {
        directory: join(dir.path, 'names'),
        listenAddress: '127.0.0.1',
        port: await freePort(),
      };
      const driver = servedDns(db, nameServer({ runner: hostRunner, asRoot: true, ...place }));
      const stop = async () => {
        await driver.stop();
        await db.close();
      };
      return { driver, stop };
    },
  },
  LdapDNS: {
    there: !serverMissing('slapd'),
    make: async () => {
      const server = await startSlapd();
      const client = new Client({ url: server.url });
      await client.bind(server.rootDn, server.rootPassword);
      await client.add(server.suffix, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'x' });
      await client.add(baseDn, { objectClass: 'organizationalUnit', ou: 'hosts' });
      await client.unbind();
      return { driver: ldapOf(server), stop: () => server.stop() };
    },
  },
};

describe.each(Object.entries(kinds))('names kept by %s', (_name, { there, make }) => {
  describe.skipIf(!there)('', () => {
    let kind: Kind;
    let driver: DnsDriver;
    beforeAll(async () => {
      kind = await make();
      driver = kind.driver;
    }, 120_000);
    afterAll(() => kind.stop());
    const entry = (name: string, address: string, type = 'A') =>
      driver.createEntry({ name, address, type, domain: 'example.net' });

    it('are entered once, found both ways, changed and taken away', async () => {
      await driver.createDomain('example.net');
      await driver.createDomain('other.net');
      expect((await driver.domains()).toSorted()).toEqual(['example.net', 'other.net']);
      await expect(driver.createDomain('example.net')).rejects.toMatchObject({ name: 'FloatingIpDNSExists' });
      await entry('www', '192.0.2.1');
      await entry('mail', '192.0.2.1');
      await entry('db', '192.0.2.2');
      await expect(entry('www', '192.0.2.9')).rejects.toMatchObject({ name: 'FloatingIpDNSExists' });
      await expect(entry('x', '192.0.2.9', 'MX')).rejects.toMatchObject({ name: 'InvalidInput' });
      expect((await driver.namesOf('192.0.2.1', 'example.net')).toSorted()).toEqual(['mail', 'www']);
      expect(await driver.namesOf('192.0.2.1', 'other.net')).toEqual([]);
      expect(await driver.addressesOf('db', 'example.net')).toEqual(['192.0.2.2']);
      // The one that the shared entry is called by, and one that stands alone.
      await driver.modifyAddress('www', '192.0.2.3', 'example.net');
      await driver.modifyAddress('db', '192.0.2.4', 'example.net');
      expect(await driver.addressesOf('www', 'example.net')).toEqual(['192.0.2.3']);
      expect(await driver.addressesOf('mail', 'example.net')).toEqual(['192.0.2.1']);
      expect(await driver.addressesOf('db', 'example.net')).toEqual(['192.0.2.4']);
      await driver.deleteEntry('mail', 'example.net');
      expect(await driver.addressesOf('mail', 'example.net')).toEqual([]);
      await expect(driver.deleteEntry('mail', 'example.net')).rejects.toMatchObject({ name: 'NotFound' });
      await expect(driver.modifyAddress('mail', '192.0.2.1', 'example.net')).rejects.toMatchObject({
        name: 'NotFound',
      });
      await driver.deleteDomain('example.net');
      expect(await driver.domains()).toEqual(['other.net']);
      expect(await driver.addressesOf('www', 'example.net')).toEqual([]);
      await expect(driver.deleteDomain('example.net')).rejects.toMatchObject({ name: 'NotFound' });
    });
  });
});

it("MiniDNS reads and writes the original's file", async () => {
  const path = join(dir.path, 'as-before.txt');
  const driver = miniDns(path);
  await driver.createDomain('a.net');
  await driver.createEntry({ name: 'www', domain: 'a.net', address: '192.0.2.1', type: 'A' });
  expect(await readFile(path, 'utf8')).toBe(
    '#  minidns\n\n\ndomain   a.net   domain\n192.0.2.1   www.a.net   A\n',
  );
});

describe.skipIf(!dnsmasq)('a cloud whose names dnsmasq answers', () => {
  const world = { clock: systemClock, random: seededRandom(3), log: silentLogger };
  const admin = adminContext();
  let db: Database;
  let port: number;
  let service: Awaited<ReturnType<typeof startNetwork>>;
  const bus = createLocalBus(world);
  const network = networkContract.client(bus);

  beforeAll(async () => {
    db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    port = await freePort();
    const config = configFrom([novaOptions], {
      DEFAULT: {
        ...{ host: 'node1', fake_network: true, networks_path: join(dir.path, 'cloud') },
        ...{ network_manager: 'nova.network.manager.FlatDHCPManager', flat_network_bridge: 'br100' },
        ...{ floating_ip_dns_manager: 'dnsmasq', instance_dns_manager: 'dnsmasq' },
        ...{ instance_dns_domain: 'vms.net', dnsmasq_dns_listen: '127.0.0.1', dnsmasq_dns_port: port },
      },
    });
    service = await startNetwork({ config, db, bus, world });
    await network.create_networks(admin, { label: 'private', cidr: '10.0.0.0/28' });
    const pool = { addresses: ['192.0.2.1'], pool: 'nova', interface: 'eth0' };
    await createFloatingIps(db, pool, systemClock.now());
  });
  afterAll(async () => {
    await service.removeNetworkFromHost();
    await service.stop();
    await db.close();
  });

  it('answers for the name of a floating address until it is given back', async () => {
    await network.create_public_dns_domain(admin, { domain: 'pub.net', project: 'p' });
    expect(await network.get_dns_domains(admin, {})).toEqual([
      { domain: 'pub.net', scope: 'public', project: 'p' },
    ]);
    const address = await network.allocate_floating_ip(admin, { project_id: 'p' });
    await network.add_dns_entry(admin, { name: 'www', address, dns_type: 'A', domain: 'pub.net' });
    await eventually(() => asked(port, 'www.pub.net')).toEqual([address]);
    expect(await asked(port, 'nosuch.pub.net')).toEqual([]);
    await network.deallocate_floating_ip(admin, { address });
    await eventually(() => asked(port, 'www.pub.net')).toEqual([]);
    await network.delete_dns_domain(admin, { domain: 'pub.net' });
    expect(await network.get_dns_domains(admin, {})).toEqual([]);
  });

  it('answers for the name and the uuid of an instance as long as it has its address', async () => {
    await network.create_private_dns_domain(admin, { domain: 'vms.net', av_zone: 'nova' });
    const boot = async (number: number, zone: string) => {
      const uuid = `00000000-0000-4000-8000-00000000000${number}`;
      const row = { uuid, hostname: 'web', project_id: 'p', availability_zone: zone, deleted: 0 };
      const [id] = await db.knex('instances').insert(row);
      const asks = { instance_id: id as number, instance_uuid: uuid, project_id: 'p', host: 'node1' };
      const more = { rxtx_factor: 1, requested_networks: null, vpn: false };
      const info = await network.allocate_for_instance(admin, { ...asks, ...more });
      return { id: id as number, uuid, address: info[0]?.network?.subnets[0]?.ips[0]?.address ?? '' };
    };
    const [first, second, elsewhere] = [await boot(1, 'nova'), await boot(2, 'nova'), await boot(3, 'west')];
    await eventually(() => asked(port, `${second.uuid}.vms.net`)).toEqual([second.address]);
    // The second of the same name has its uuid alone; another zone has none.
    expect(await asked(port, 'web.vms.net')).toEqual([first.address]);
    expect(await asked(port, `${elsewhere.uuid}.vms.net`)).toEqual([]);
    for (const { id } of [first, second])
      await network.deallocate_for_instance(admin, { instance_id: id, project_id: 'p', host: 'node1' });
    await eventually(() => asked(port, 'web.vms.net')).toEqual([]);
    expect(await asked(port, `${second.uuid}.vms.net`)).toEqual([]);
  });
});
