import { configFrom } from '@folsom/config';
import { adminContext, requestContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import { namespaceRunner } from '@folsom/host/runner';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNetwork } from './index.ts';
import { linuxNetworkHost } from './network-host.ts';

const world = { clock: systemClock, random: seededRandom(9), log: silentLogger };
const admin = adminContext();
const mine = requestContext({ projectId: 'p', userId: 'u' });
const others = requestContext({ projectId: 'q', userId: 'u' });
const name = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    error => error.name,
  );

describe('floating addresses', () => {
  let db: Database;
  const told: unknown[] = [];
  const bus = {
    ...createLocalBus(world),
    notify: async (_context: unknown, topic: string, priority: string, body: unknown) => {
      told.push({ topic, priority, ...(body as object) });
    },
  };
  const network = networkContract.client(bus);
  let stop: () => Promise<void>;

  beforeAll(async () => {
    db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    const config = configFrom([novaOptions], {
      DEFAULT: {
        host: 'node1',
        fake_network: true,
        network_manager: 'nova.network.manager.FlatDHCPManager',
        flat_network_bridge: 'br100',
        quota_floating_ips: 3,
        notification_driver: 'nova.openstack.common.notifier.rabbit_notifier',
      },
    });
    const service = await startNetwork({ config, db, bus, world });
    stop = () => service.stop();
    await network.create_networks(admin, { label: 'private', cidr: '10.0.0.0/28', num_networks: 1 });
    const addresses = Array.from({ length: 6 }, (_none, at) => `192.0.2.${at + 1}`);
    await createFloatingIps(db, { addresses, pool: 'nova', interface: 'eth0' }, systemClock.now());
    await createFloatingIps(
      db,
      { addresses: ['198.51.100.1'], pool: 'test', interface: 'eth0' },
      systemClock.now(),
    );
  });
  afterAll(async () => {
    await stop();
    await db.close();
  });

  const guest = async (number: number) => {
    const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    const row = { uuid, hostname: `vm-${number}`, project_id: 'p', deleted: 0 };
    const [id] = await db.knex('instances').insert(row);
    const info = await network.allocate_for_instance(admin, {
      instance_id: id as number,
      instance_uuid: uuid,
      project_id: 'p',
      host: 'node1',
      rxtx_factor: 1,
      requested_networks: null,
      vpn: false,
    });
    return { id: id as number, uuid, fixed: info[0]!.network!.subnets[0]!.ips[0]!.address! };
  };

  it('are taken from pools within the quota, by one tenant each, however many ask at once', async () => {
    expect(await network.get_floating_pools(mine, {})).toEqual([{ name: 'nova' }, { name: 'test' }]);
    const asked = await Promise.allSettled(
      Array.from({ length: 8 }, () => network.allocate_floating_ip(mine, { project_id: 'p' })),
    );
    const given = asked.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    const refused = asked.flatMap(result => (result.status === 'rejected' ? [result.reason.name] : []));
    expect(new Set(given).size).toBe(3);
    expect(refused).toEqual(Array(5).fill('FloatingIpLimitExceeded'));
    const rest = await Promise.allSettled(
      Array.from({ length: 3 }, () => network.allocate_floating_ip(others, { project_id: 'q' })),
    );
    expect(rest.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(await network.get_floating_ips_by_project(mine, {})).toHaveLength(3);
    expect(await name(network.deallocate_floating_ip(others, { address: given[0]! }))).toBe('NotAuthorized');
    const usage = { project_id: 'p', resource: 'floating_ips' };
    const used = async () => (await db.knex('quota_usages').where(usage).first())?.in_use;
    expect(await used()).toBe(3);
    for (const address of given) await network.deallocate_floating_ip(mine, { address });
    // An original that allocates next goes by it.
    expect(await used()).toBe(0);
    expect(await name(network.allocate_floating_ip(mine, { project_id: 'p', pool: 'zz' }))).toBe(
      'NoMoreFloatingIps',
    );
    const next = await network.allocate_floating_ip(mine, { project_id: 'p', pool: 'test' });
    expect(next).toBe('198.51.100.1');
    await network.deallocate_floating_ip(mine, { address: next });
  });

  it('lead to one instance at a time, and nowhere once it is gone', async () => {
    const [one, two] = [await guest(1), await guest(2)];
    told.length = 0;
    const address = await network.allocate_floating_ip(mine, { project_id: 'p' });
    const lead = (to: string, as = mine) =>
      network.associate_floating_ip(as, { floating_address: address, fixed_address: to });
    expect(await name(lead(one.fixed, others))).toBe('NotAuthorized');
    expect(await lead(one.fixed)).toBeNull();
    expect(await network.get_instance_id_by_floating_address(mine, { address })).toBe(one.uuid);
    expect(await lead(two.fixed)).toBe(one.uuid);
    expect(await network.get_floating_ips_by_fixed_address(mine, { fixed_address: two.fixed })).toEqual([
      address,
    ]);
    const info = await network.get_instance_nw_info(admin, {
      instance_id: two.id,
      instance_uuid: two.uuid,
      rxtx_factor: 1,
      host: 'node1',
    });
    expect(info[0]!.network!.subnets[0]!.ips[0]!.floating_ips.map(ip => ip.address)).toEqual([address]);
    expect(await name(network.deallocate_floating_ip(mine, { address }))).toBe('FloatingIpAssociated');
    await network.deallocate_for_instance(admin, { instance_id: two.id, project_id: 'p', host: 'node1' });
    expect(await network.get_floating_ip_by_address(mine, { address })).toMatchObject({
      fixed_ip_id: null,
      host: null,
      project_id: 'p',
    });
    expect(await name(network.disassociate_floating_ip(mine, { address }))).toBe('FloatingIpNotAssociated');
    await network.deallocate_floating_ip(mine, { address });
    // What was refused is not told; where an administrator's work ended it, it is told as his.
    const event = (event_type: string, project_id: string | null = 'p') => ({
      ...{ topic: 'notifications', priority: 'INFO', publisher_id: 'network.node1' },
      ...{ event_type: `network.floating_ip.${event_type}`, payload: { project_id, floating_ip: address } },
    });
    expect(told).toMatchObject([
      ...[event('allocate'), event('associate'), event('disassociate'), event('associate')],
      ...[event('disassociate', null), event('deallocate')],
    ]);
    await network.deallocate_for_instance(admin, { instance_id: one.id, project_id: 'p', host: 'node1' });
  });
});

const NAME = `flt-${process.pid % 100_000}`;
const root = needs('root', process.getuid?.() === 0);
if (!root) console.warn('floating addresses: not root, the host test is left out');

describe.skipIf(!root)('floating addresses on a host', () => {
  const runner = namespaceRunner(NAME);
  const host = () =>
    linuxNetworkHost({
      runner,
      clock: systemClock,
      log: silentLogger,
      networksPath: '/nonexistent',
      fixedRange: '10.0.0.0/24',
      routingSourceIp: '127.0.0.1',
      publicInterface: null,
      mtu: 1400,
      announcements: 0,
      ipv6: false,
      lockPath: '/tmp',
      flatInterface: null,
      vlanInterface: null,
      vpnAddress: '192.0.2.254',
      metadataHost: '127.0.0.1',
      metadataPort: 8775,
      dmzCidr: [],
      dhcpDomain: 'novalocal',
      singleGateway: false,
      dhcpLeaseSeconds: 120,
      dnsmasqConfigFile: '',
      dnsServer: null,
      dhcpScript: '/bin/true',
      dhcpScriptConfig: '',
      leases: null,
      associated: async () => [],
    });
  const seen = async () => {
    const { stdout: rules } = await runner(['iptables-save', '-t', 'nat'], { timeoutMs: 5000 });
    const { stdout: links } = await runner(['ip', '-o', '-4', 'addr'], { timeoutMs: 5000 });
    return {
      rules: rules.split('\n').filter(line => /^-A nova-network.*192\.0\.2\./.test(line)),
      addresses: [...links.matchAll(/192\.0\.2\.\d+\/32/g)].map(found => found[0]),
    };
  };
  beforeAll(async () => {
    await run(['ip', 'netns', 'add', NAME], { timeoutMs: 5000 });
    await runner(['ip', 'link', 'add', 'pub0', 'type', 'bridge'], { timeoutMs: 5000 });
  });
  afterAll(async () => {
    await run(['ip', 'netns', 'del', NAME], { timeoutMs: 5000 });
  });

  it('are addresses of the public device and three rules each, and survive a restart', async () => {
    const before = host();
    await before.init();
    await before.addFloating('192.0.2.7', '10.0.0.3', 'pub0');
    await before.addFloating('192.0.2.8', '10.0.0.4', 'pub0');
    const rulesOf = (floating: string, fixed: string) => [
      `-A nova-network-OUTPUT -d ${floating}/32 -j DNAT --to-destination ${fixed}`,
      `-A nova-network-PREROUTING -d ${floating}/32 -j DNAT --to-destination ${fixed}`,
      `-A nova-network-float-snat -s ${fixed}/32 -o pub0 -j SNAT --to-source ${floating}`,
    ];
    const both = [...rulesOf('192.0.2.7', '10.0.0.3'), ...rulesOf('192.0.2.8', '10.0.0.4')];
    const first = await seen();
    expect(first.rules.toSorted()).toEqual(both.toSorted());
    expect(first.addresses).toEqual(['192.0.2.7/32', '192.0.2.8/32']);
    // A process that starts anew sets up what the database says.
    const after = host();
    await after.init();
    const served = [
      { floating: '192.0.2.7', fixed: '10.0.0.3', device: 'pub0' },
      { floating: '192.0.2.8', fixed: '10.0.0.4', device: 'pub0' },
    ];
    await after.setFloating(served);
    expect((await seen()).rules.toSorted()).toEqual(both.toSorted());
    await after.removeFloating('192.0.2.7', '10.0.0.3', 'pub0');
    expect(await seen()).toEqual({
      rules: expect.arrayContaining(rulesOf('192.0.2.8', '10.0.0.4')),
      addresses: ['192.0.2.8/32'],
    });
    await expect(after.addFloating('192.0.2.9', '10.0.0.5', 'nosuch')).rejects.toThrow('find device');
    await after.remove([]);
    expect(await seen()).toEqual({ rules: [], addresses: [] });
  });
});
