import { configFrom } from '@folsom/config';
import { adminContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { globalV6, type Ipv6Backend } from '@folsom/nova/ipv6';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { afterEach, describe, expect, it } from 'vitest';
import { startNetwork } from './index.ts';

const world = { clock: systemClock, random: seededRandom(3), log: silentLogger };
const admin = adminContext();

const started = async (settings: Record<string, string | boolean | number> = {}) => {
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const fixed = { host: 'node1', fake_network: true, flat_network_bridge: 'br100' };
  const config = configFrom([novaOptions], {
    DEFAULT: { ...fixed, network_manager: 'nova.network.manager.FlatDHCPManager', ...settings },
  });
  const bus = createLocalBus(world);
  const service = await startNetwork({ config, db, bus, world });
  const stop = async () => {
    await service.stop();
    await db.close();
  };
  return { db, network: networkContract.client(bus), stop };
};

let cloud: Awaited<ReturnType<typeof started>>;
afterEach(() => cloud.stop());

async function boot(db: Database, number: number) {
  const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const row = { uuid, hostname: `vm-${number}`, project_id: 'p', deleted: 0 };
  const [id] = await db.knex('instances').insert(row);
  const whose = { instance_id: id as number, instance_uuid: uuid, project_id: 'p', host: 'node1' };
  return cloud.network.allocate_for_instance(admin, {
    ...{ ...whose, requested_networks: null, rxtx_factor: 1, vpn: false },
  });
}

describe('networks with a block of IPv6', () => {
  it('each have one that guests can add their half to, and no two the same', async () => {
    cloud = await started();
    const create = (label: string, more: object) => cloud.network.create_networks(admin, { label, ...more });
    await create('one', { cidr: '10.0.0.0/28', cidr_v6: 'fd00:1::/64' });
    const both = { cidr: '10.0.1.0/24', num_networks: 2, network_size: 16, cidr_v6: 'fd00:2::/48' };
    await create('two', both);
    await create('mine', { cidr_v6: 'fd00:3::7/64', gateway_v6: 'FD00:3:0::9' });
    const rows = await cloud.network.get_all_networks(admin, {});
    expect(rows.map(row => [row.label, row.cidr, row.cidr_v6, row.gateway_v6, row.netmask_v6])).toEqual([
      ['one', '10.0.0.0/28', 'fd00:1::/64', 'fd00:1::1', '64'],
      ['two_0', '10.0.1.0/28', 'fd00:2::/64', 'fd00:2::1', '64'],
      ['two_1', '10.0.1.16/28', 'fd00:2:0:1::/64', 'fd00:2:0:1::1', '64'],
      ['mine', null, 'fd00:3::/64', 'fd00:3::9', '64'],
    ]);
    await expect(create('x', { cidr_v6: 'fd00:2:0:1::/64' })).rejects.toThrow('Network already exists!');
    await expect(create('x', { cidr_v6: 'fd00:2::/129' })).rejects.toThrow('Invalid cidr fd00:2::/129.');
    await expect(create('x', { cidr_v6: 'fd09::/64', gateway_v6: 'nobody' })).rejects.toThrow(
      'Invalid cidr nobody.',
    );
    expect(await cloud.network.get_all_networks(admin, {})).toHaveLength(4);
  });
});

describe('a guest', () => {
  it.each(['rfc2462', 'account_identifier'] as Ipv6Backend[])(
    'has an address that follows from its card (%s)',
    async backend => {
      cloud = await started({ ipv6_backend: backend });
      await cloud.network.create_networks(admin, { label: 'x', cidr: '10.0.0.0/28', cidr_v6: 'fd00::/64' });
      const [card] = await boot(cloud.db, 1);
      const address = globalV6(backend, 'fd00::/64', card!.address, null);
      expect(card!.network!.subnets).toMatchObject([
        { version: 4, ips: [{ address: '10.0.0.2', version: 4 }] },
        {
          ...{ cidr: 'fd00::/64', version: 6, dns: [], meta: {} },
          gateway: { address: 'fd00::1', version: 6, type: 'gateway' },
          ips: [{ address, version: 6, type: 'fixed', floating_ips: [] }],
        },
      ]);
      const found = await cloud.network.get_instance_uuids_by_ip_filter(admin, {
        filters: { ip6: address.slice(0, -2) },
      });
      expect(found).toEqual([{ instance_uuid: '00000000-0000-4000-8000-000000000001', ip: address }]);
      expect(
        await cloud.network.get_instance_uuids_by_ip_filter(admin, { filters: { ip6: 'fe80' } }),
      ).toEqual([]);
    },
  );

  it('has none without a block, and no service starts with a rule that there is not', async () => {
    cloud = await started({ use_ipv6: true });
    await cloud.network.create_networks(admin, { label: 'x', cidr: '10.0.0.0/28' });
    expect((await boot(cloud.db, 1))[0]!.network!.subnets.map(({ version }) => version)).toEqual([4]);
    await expect(started({ ipv6_backend: 'mine' })).rejects.toThrow('ipv6_backend mine is not supported');
  });
});
