import { configFrom } from '@folsom/config';
import { adminContext, requestContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { associatedFixedIps } from '@folsom/nova/fixed-ips';
import { onlyNovaNetwork } from '@folsom/nova/network-api';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNetwork } from './index.ts';

const world = { clock: systemClock, random: seededRandom(3), log: silentLogger };
const admin = adminContext();

async function addInstance(db: Database, number: number): Promise<{ id: number; uuid: string }> {
  const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const [id] = await db
    .knex('instances')
    .insert({ uuid, hostname: `vm-${number}`, project_id: 'p', deleted: 0 });
  return { id: id as number, uuid };
}

const started = async (settings: Record<string, string | boolean | number>) => {
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const config = configFrom([novaOptions], { DEFAULT: { host: 'node1', fake_network: true, ...settings } });
  const bus = createLocalBus(world);
  const service = await startNetwork({ config, db, bus, world });
  const stop = async () => {
    await service.stop();
    await db.close();
  };
  return { db, network: networkContract.client(bus), stop };
};

const bootOf = (
  instance: { id: number; uuid: string },
  project_id: string,
  requested_networks: [string, string | null][] | null = null,
) => ({
  ...{ instance_id: instance.id, instance_uuid: instance.uuid, project_id, requested_networks },
  ...{ host: 'node1', rxtx_factor: 1, vpn: false },
});

describe('VlanManager', () => {
  let cloud: Awaited<ReturnType<typeof started>>;
  beforeAll(async () => {
    cloud = await started({ vlan_interface: 'eth1' });
    await cloud.network.create_networks(admin, {
      label: 'vlans',
      cidr: '10.0.0.0/24',
      num_networks: 2,
      network_size: 16,
      vlan_start: 200,
    });
  });
  afterAll(() => cloud.stop());

  it('numbers networks, their bridges and VPNs', async () => {
    const rows = await cloud.network.get_all_networks(admin, {});
    expect(rows).toMatchObject([
      {
        ...{ vlan: 200, bridge: 'br200', bridge_interface: 'eth1', vpn_public_port: 1000 },
        ...{ vpn_private_address: '10.0.0.2', dhcp_start: '10.0.0.3' },
      },
      { vlan: 201, bridge: 'br201', vpn_public_port: 1001, dhcp_start: '10.0.0.19' },
    ]);
    await expect(
      cloud.network.create_networks(admin, { label: 'x', cidr: '10.1.0.0/24', vlan_start: 4094 }),
    ).rejects.toThrow(/cannot be greater than 4094/);
  });

  it('gives each project a network of its own, and no server without an address when there is none left', async () => {
    const addressOf = async (number: number, project: string) => {
      const info = await cloud.network.allocate_for_instance(
        admin,
        bootOf(await addInstance(cloud.db, number), project),
      );
      return info.map(card => [card.network!.meta.vlan, card.network!.subnets[0]!.ips[0]!.address]);
    };
    expect(await addressOf(1, 'p')).toEqual([[200, '10.0.0.3']]);
    expect(await addressOf(2, 'q')).toEqual([[201, '10.0.0.19']]);
    expect(await addressOf(3, 'p')).toEqual([[200, '10.0.0.4']]);
    await expect(addressOf(4, 'r')).rejects.toMatchObject({ name: 'NoMoreNetworks' });
    const [first] = await cloud.network.get_all_networks(admin, {});
    const user = requestContext({ projectId: 'q', userId: 'u' });
    await expect(
      cloud.network.validate_networks(user, { networks: [[first!.uuid, null]] }),
    ).rejects.toMatchObject({ name: 'NoNetworksFound' });
  });
});

it('VlanManager gives the VPN guest of a project the address that its VPN is forwarded to', async () => {
  const cloud = await started({ vlan_interface: 'eth1', vpn_ip: '192.0.2.9', cnt_vpn_clients: 3 });
  try {
    const [row] = await cloud.network.create_networks(admin, { label: 'v', cidr: '10.0.0.0/28' });
    const vpn = await addInstance(cloud.db, 1);
    const info = await cloud.network.allocate_for_instance(admin, { ...bootOf(vpn, 'p'), vpn: true });
    expect(info[0]!.network!.subnets[0]!.ips[0]!.address).toBe('10.0.0.2');
    await cloud.network.setup_networks_on_host(admin, { instance_id: vpn.id, host: 'node1' });
    expect(await cloud.network.get_network(admin, { network_uuid: row!.uuid })).toMatchObject({
      ...{ vpn_public_address: '192.0.2.9', vpn_public_port: 1000, vpn_private_address: '10.0.0.2' },
    });
    // Broadcast and the addresses of clients at the top, network, gateway and VPN at the bottom.
    const open = cloud.db.knex('fixed_ips').where({ reserved: 0, deleted: 0 });
    const free = await open.orderBy('id').pluck('address');
    expect([free[0], free.at(-1), free.length]).toEqual(['10.0.0.3', '10.0.0.11', 9]);
    const second = await addInstance(cloud.db, 2);
    await expect(
      cloud.network.allocate_for_instance(admin, { ...bootOf(second, 'p'), vpn: true }),
    ).rejects.toMatchObject({ name: 'FixedIpAlreadyInUse' });
    await cloud.network.deallocate_for_instance(admin, {
      instance_id: vpn.id,
      project_id: 'p',
      host: 'node1',
    });
    const again = await cloud.network.allocate_for_instance(admin, { ...bootOf(second, 'p'), vpn: true });
    expect(again[0]!.network!.subnets[0]!.ips[0]!.address).toBe('10.0.0.2');
  } finally {
    await cloud.stop();
  }
});

it('VlanManager gives a project a network, that one or any that is free; others do not', async () => {
  const cloud = await started({ vlan_interface: 'eth1' });
  const flat = await started({
    network_manager: 'nova.network.manager.FlatDHCPManager',
    flat_network_bridge: 'br100',
  });
  try {
    const made = { label: 'v', cidr: '10.0.0.0/24', num_networks: 2, network_size: 16 };
    const rows = await cloud.network.create_networks(admin, made);
    const give = (project_id: string, network_uuid: string | null) =>
      cloud.network.add_network_to_project(admin, { project_id, network_uuid });
    await give('p', rows[1]!.uuid);
    await give('q', null);
    const owners = (await cloud.network.get_all_networks(admin, {})).map(row => row.project_id);
    expect(owners).toEqual(['q', 'p']);
    await expect(give('r', null)).rejects.toMatchObject({ name: 'NoMoreNetworks' });
    await expect(
      flat.network.add_network_to_project(admin, { project_id: 'p', network_uuid: null }),
    ).rejects.toThrow('Only VlanManager');
  } finally {
    await cloud.stop();
    await flat.stop();
  }
});

it('gives a guest a card in each network that it asks for, with the addresses that it asks for', async () => {
  const cloud = await started({
    network_manager: 'nova.network.manager.FlatDHCPManager',
    flat_network_bridge: 'br100',
  });
  try {
    const create = async (label: string, cidr: string, bridge: string) =>
      (await cloud.network.create_networks(admin, { label, cidr, bridge }))[0]!;
    const [one, two] = [await create('a', '10.0.0.0/28', 'br1'), await create('b', '10.0.1.0/28', 'br2')];
    const guest = await addInstance(cloud.db, 1);
    const asked: [string, string | null][] = [
      [two.uuid, '10.0.1.9'],
      [one.uuid, null],
    ];
    const addresses = (info: Awaited<ReturnType<typeof cloud.network.allocate_for_instance>>) =>
      info.map(card => [card.network!.label, card.network!.subnets[0]!.ips.map(ip => ip.address)]);
    const info = await cloud.network.allocate_for_instance(admin, bootOf(guest, 'p', asked));
    expect(addresses(info)).toEqual([
      ['b', ['10.0.1.9']],
      ['a', ['10.0.0.2']],
    ]);
    // One that cannot be had leaves nothing of the other behind.
    const other = await addInstance(cloud.db, 2);
    await expect(
      cloud.network.allocate_for_instance(
        admin,
        bootOf(other, 'p', [
          [one.uuid, null],
          [two.uuid, '10.0.1.9'],
        ]),
      ),
    ).rejects.toMatchObject({ name: 'FixedIpAlreadyInUse' });
    expect(await cloud.db.knex('fixed_ips').where({ instance_uuid: other.uuid })).toEqual([]);
    expect(await cloud.db.knex('virtual_interfaces').where({ instance_uuid: other.uuid })).toEqual([]);
    // What its second card's DHCP server does not tell a gateway to, where one is enough.
    const known = await associatedFixedIps(cloud.db, one.id, null);
    expect(known).toMatchObject([{ address: '10.0.0.2', further: true }]);
    expect(await associatedFixedIps(cloud.db, two.id, null)).toMatchObject([{ further: false }]);
  } finally {
    await cloud.stop();
  }
});

it('FlatDHCPManager refuses a VLAN that is asked for, FlatManager says what is to be written into disks', async () => {
  const cloud = await started({
    network_manager: 'nova.network.manager.FlatManager',
    flat_network_bridge: 'br100',
    flat_injected: true,
  });
  try {
    const [plain, tagged] = [
      (await cloud.network.create_networks(admin, { label: 'plain', cidr: '10.0.0.0/28' }))[0]!,
      (await cloud.network.create_networks(admin, { label: 'tagged', cidr: '10.0.1.0/28' }))[0]!,
    ];
    await cloud.db.knex('networks').where({ id: tagged.id }).update({ vlan: 7 });
    const instance = await addInstance(cloud.db, 1);
    await expect(
      cloud.network.allocate_for_instance(admin, bootOf(instance, 'p', [[tagged.uuid, null]])),
    ).rejects.toMatchObject({ name: 'NetworkNotFoundForProject' });
    await cloud.network.allocate_for_instance(admin, bootOf(instance, 'p'));
    await cloud.network.setup_networks_on_host(admin, { instance_id: instance.id, host: 'node1' });
    const info = await cloud.network.get_instance_nw_info(admin, bootOf(instance, 'p'));
    expect(info.map(card => card.network!.id)).toEqual([plain.uuid]);
    expect(info[0]!.network!.meta).toEqual({ tenant_id: null, injected: true });
  } finally {
    await cloud.stop();
  }
});

it('starts as one of the three managers or not at all', async () => {
  await expect(started({ network_manager: 'nova.network.quantum.manager.QuantumManager' })).rejects.toThrow(
    /network_manager nova.network.quantum.manager.QuantumManager is not supported: use one of/,
  );
});

it('no daemon starts beside another network service', () => {
  expect(() => onlyNovaNetwork('nova.network.quantumv2.api.API')).toThrow(/Quantum is not spoken to/);
  onlyNovaNetwork('nova.network.api.API');
});

describe('nova-network without touching the host', () => {
  let db: Database;
  let stop: () => Promise<void>;
  const bus = createLocalBus(world);
  const network = networkContract.client(bus);
  const ask = (instance: { id: number; uuid: string }) => ({
    instance_id: instance.id,
    instance_uuid: instance.uuid,
    project_id: 'p',
    host: 'node1',
    rxtx_factor: 1,
    requested_networks: null,
    vpn: false,
  });

  beforeAll(async () => {
    db = await openDatabase({ connection: 'sqlite://' });
    await dbSync(db, 'nova');
    const config = configFrom([novaOptions], {
      DEFAULT: {
        host: 'node1',
        fake_network: true,
        network_manager: 'nova.network.manager.FlatDHCPManager',
        flat_network_bridge: 'br100',
      },
    });
    const service = await startNetwork({ config, db, bus, world });
    stop = () => service.stop();
    await network.create_networks(admin, { label: 'private', cidr: '10.0.0.0/28', num_networks: 1 });
  });
  afterAll(async () => {
    await stop();
    await db.close();
  });

  it('describes the network as Folsom does', async () => {
    const instance = await addInstance(db, 1);
    const info = await network.allocate_for_instance(admin, ask(instance));
    expect(info).toMatchObject([
      {
        address: expect.stringMatching(/^fa:16:3e:[0-7]/),
        network: {
          bridge: 'br100',
          label: 'private',
          meta: { tenant_id: null, should_create_bridge: true },
          subnets: [
            {
              cidr: '10.0.0.0/28',
              version: 4,
              gateway: { address: '10.0.0.1', type: 'gateway', version: 4, meta: {} },
              dns: [{ address: '8.8.4.4', type: 'dns', version: 4, meta: {} }],
              ips: [{ address: '10.0.0.2', type: 'fixed', version: 4, meta: {}, floating_ips: [] }],
              routes: [],
              meta: { dhcp_server: '10.0.0.1' },
            },
          ],
        },
      },
    ]);
    expect(await network.get_instance_nw_info(admin, ask(instance))).toEqual(info);
    await network.deallocate_for_instance(admin, {
      instance_id: instance.id,
      project_id: 'p',
      host: 'node1',
    });
    expect(await network.get_instance_nw_info(admin, ask(instance))).toEqual([]);
  });

  it('gives back what a deallocation that was cut short has left', async () => {
    const instance = await addInstance(db, 50);
    await network.allocate_for_instance(admin, ask(instance));
    const mine = { instance_uuid: instance.uuid };
    // The database died between the two halves of it.
    await db.knex('fixed_ips').where(mine).update({ allocated: 0, virtual_interface_id: null });
    await network.deallocate_for_instance(admin, {
      instance_id: instance.id,
      project_id: 'p',
      host: 'node1',
    });
    expect(await db.knex('fixed_ips').where(mine)).toEqual([]);
  });

  it('never gives an address twice under parallel load and fails clearly when none is left', async () => {
    const instances = await Promise.all(
      Array.from({ length: 20 }, (_none, index) => addInstance(db, 100 + index)),
    );
    const results = await Promise.allSettled(
      instances.map(one => network.allocate_for_instance(admin, ask(one))),
    );
    const given = results.flatMap(result =>
      result.status === 'fulfilled' ? [result.value[0]!.network!.subnets[0]!.ips[0]!.address] : [],
    );
    expect(given).toHaveLength(13);
    expect(new Set(given).size).toBe(13);
    const failed = results.filter(result => result.status === 'rejected');
    expect(failed).toHaveLength(7);
    for (const one of failed) expect(one.reason.name).toBe('NoMoreFixedIps');
    // Those who got nothing hold nothing.
    expect(await db.knex('virtual_interfaces').count({ n: '*' })).toEqual([{ n: 13 }]);
    for (const one of instances) {
      await network.deallocate_for_instance(admin, { instance_id: one.id, project_id: 'p', host: 'node1' });
    }
    const left = await db.knex('fixed_ips').whereNotNull('instance_uuid').count({ n: '*' });
    expect(left).toEqual([{ n: 0 }]);
  });

  it('gives one address to an instance that asks twice, at once or again, and none to one that is gone', async () => {
    const instance = await addInstance(db, 150);
    const [one, two] = await Promise.all([
      network.allocate_for_instance(admin, ask(instance)),
      network.allocate_for_instance(admin, ask(instance)),
    ]);
    expect(two).toEqual(one);
    expect(await network.allocate_for_instance(admin, ask(instance))).toEqual(one);
    expect(one).toHaveLength(1);
    expect(one[0]!.network!.subnets[0]!.ips).toHaveLength(1);
    expect(await db.knex('fixed_ips').where({ instance_uuid: instance.uuid })).toHaveLength(1);
    await network.deallocate_for_instance(admin, {
      instance_id: instance.id,
      project_id: 'p',
      host: 'node1',
    });
    await db.knex('instances').where({ uuid: instance.uuid }).update({ deleted: 1 });
    await expect(network.allocate_for_instance(admin, ask(instance))).rejects.toMatchObject({
      name: 'InstanceNotFound',
    });
    expect(await db.knex('fixed_ips').where({ instance_uuid: instance.uuid })).toEqual([]);
  });

  it('57: CVE-2013-1838: a tenant gets no more addresses than its quota', async () => {
    await db.knex('quotas').insert({ project_id: 'p', resource: 'fixed_ips', hard_limit: 2, deleted: 0 });
    const instances = await Promise.all([200, 201, 202, 203].map(number => addInstance(db, number)));
    const results = await Promise.allSettled(
      instances.map(one => network.allocate_for_instance(admin, ask(one))),
    );
    expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(2);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason.name).toBe('FixedIpLimitExceeded');
    }
    await db.knex('quotas').delete();
    for (const one of instances) {
      await network.deallocate_for_instance(admin, { instance_id: one.id, project_id: 'p', host: 'node1' });
    }
    expect(await db.knex('reservations').where('deleted', 0)).toEqual([]);
  });

  it.each([10, -1])('writes down what a tenant has for an original, with a limit of %i', async hard_limit => {
    await db.knex('quotas').insert({ project_id: 'p', resource: 'fixed_ips', hard_limit, deleted: 0 });
    const used = async () =>
      (await db.knex('quota_usages').where({ project_id: 'p', resource: 'fixed_ips' }).first())?.in_use;
    const one = await addInstance(db, 240 + hard_limit);
    await network.allocate_for_instance(admin, ask(one));
    const before = await used();
    const two = await addInstance(db, 270 + hard_limit);
    await network.allocate_for_instance(admin, ask(two));
    expect(await used()).toBe((before ?? 0) + 1);
    for (const { id } of [one, two])
      await network.deallocate_for_instance(admin, { instance_id: id, project_id: 'p', host: 'node1' });
    expect(await used()).toBe((before ?? 0) - 1);
    await db.knex('quotas').delete();
  });

  it('keeps a leased address until its lease ends', async () => {
    const instance = await addInstance(db, 2);
    const info = await network.allocate_for_instance(admin, ask(instance));
    const address = info[0]!.network!.subnets[0]!.ips[0]!.address!;
    await network.lease_fixed_ip(admin, { address });
    await network.deallocate_for_instance(admin, {
      instance_id: instance.id,
      project_id: 'p',
      host: 'node1',
    });
    expect(await network.get_fixed_ip_by_address(admin, { address })).toMatchObject({
      allocated: false,
      leased: true,
      instance_uuid: instance.uuid,
    });
    await network.release_fixed_ip(admin, { address });
    expect(await network.get_fixed_ip_by_address(admin, { address })).toMatchObject({ instance_uuid: null });
  });

  it('refuses networks of other tenants, wrong addresses and addresses in use', async () => {
    const [other] = await network.create_networks(admin, {
      label: 'other',
      cidr: '10.9.0.0/29',
      project_id: 'q',
    });
    const user = requestContext({ projectId: 'p', userId: 'u' });
    const refused = (networks: [string, string | null][]) =>
      network.validate_networks(user, { networks }).then(
        () => undefined,
        error => error.name,
      );
    expect(await refused([[other!.uuid, null]])).toBe('NoNetworksFound');
    const mine = (await network.get_all_networks(admin, {}))[0]!;
    expect(await refused([[mine.uuid, null]])).toBeUndefined();
    expect(await refused([[mine.uuid, '10.0.0.300']])).toBe('FixedIpInvalid');
    expect(await refused([[mine.uuid, '10.9.0.2']])).toBe('FixedIpNotFoundForNetwork');
    await network.delete_network(admin, {
      fixed_range: null,
      uuid: other!.uuid,
      require_disassociated: false,
    });
  });

  it('refuses blocks that overlap', async () => {
    const create = (cidr: string) =>
      network.create_networks(admin, { label: 'x', cidr }).then(
        () => undefined,
        error => error.message,
      );
    expect(await create('10.0.0.0/28')).toContain('cidr already in use');
    expect(await create('10.0.0.0/29')).toContain('conflicts with existing supernet (10.0.0.0/28)');
    expect(await create('10.0.0.0/24')).toContain('conflicts with existing smaller cidr (10.0.0.0/28)');
    expect(await create('nonsense')).toContain('Invalid cidr');
  });
});
