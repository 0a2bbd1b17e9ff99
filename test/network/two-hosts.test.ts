import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guestBridges, settingsOf } from '@folsom/compute-agent/testing';
import { configFrom } from '@folsom/config';
import { adminContext, must, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { ensureVlan } from '@folsom/host/bridges';
import type { Runner } from '@folsom/host/runner';
import { type RunningNetwork, startNetwork } from '@folsom/network';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { canMakeNamespaces } from '@folsom/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type Switch, trunkSwitch } from './switch.ts';

/** A network host and a compute host beside it, whose guests have the one's addresses over the other's bridges. */

const world = { clock: systemClock, random: seededRandom(11), log: silentLogger };
const admin = adminContext();
const there = needs('root and network namespaces', canMakeNamespaces());
if (!there) console.warn('two hosts of a network: no right to make namespaces, left out');

interface Cloud {
  db: Database;
  network: ReturnType<typeof networkContract.client>;
  /** Makes the bridges of a guest's network on the compute host. */
  plug: ReturnType<typeof guestBridges>;
  compute: Runner;
  lines: Switch;
  boot(number: number, project: string): ReturnType<Cloud['network']['allocate_for_instance']>;
  stop(): Promise<void>;
}

async function cloudOf(settings: Record<string, string | boolean>): Promise<Cloud> {
  const dir = await mkdtemp(join(tmpdir(), 'network-'));
  const lines = await trunkSwitch(`n${process.pid % 1000}`);
  const [networkHost, compute] = [await lines.host('a'), await lines.host('b')];
  const db = await openDatabase({ connection: 'sqlite://' });
  await dbSync(db, 'nova');
  const config = configFrom([novaOptions], {
    DEFAULT: { host: 'a', state_path: dir, fixed_range: '10.0.0.0/16', ...settings },
  });
  const bus = createLocalBus(world);
  const service: RunningNetwork = await startNetwork({ config, db, bus, world, runner: networkHost });
  const network = networkContract.client(bus);
  return {
    ...{ db, network, compute, lines },
    plug: guestBridges({ settings: settingsOf(config), runner: compute, log: silentLogger }),
    async boot(number, project_id) {
      const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
      const row = { uuid, hostname: `vm-${number}`, project_id, host: 'b', deleted: 0 };
      const [id] = await db.knex('instances').insert(row);
      const asked = { instance_id: id as number, instance_uuid: uuid, project_id, host: 'b' };
      const info = await network.allocate_for_instance(admin, {
        ...{ ...asked, rxtx_factor: 1, requested_networks: null, vpn: false },
      });
      await network.setup_networks_on_host(admin, { instance_id: id as number, host: 'b' });
      return info;
    },
    async stop() {
      await service.removeNetworkFromHost();
      await service.stop();
      await db.close();
      await lines.remove();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** What a guest has got by DHCP, if it has an answer within its time. */
async function leaseOf(guest: Runner): Promise<string | undefined> {
  const words = [
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-f',
    '-n',
    '-q',
    '-t',
    '20',
    '-T',
    '1',
    '-s',
    '/bin/true',
  ];
  const { stderr, stdout } = await guest(words, { timeoutMs: 200_000, allowedCodes: 'any' });
  return /lease of (\S+) obtained/.exec(stdout + stderr)?.[1];
}

const bridgesOf = async (host: Runner): Promise<string[]> => {
  const { stdout } = await host(['ip', '-j', 'link', 'show', 'type', 'bridge'], { timeoutMs: 10_000 });
  return (JSON.parse(stdout || '[]') as { ifname?: string }[]).flatMap(link => link.ifname ?? []);
};

describe.skipIf(!there)('a guest of a host that serves no network', () => {
  let cloud: Cloud | undefined;
  afterEach(async () => {
    await cloud?.stop();
    cloud = undefined;
  }, 200_000);

  it('has its address over the VLAN of its project, and reaches nobody in that of another', async () => {
    cloud = await cloudOf({ vlan_interface: 'eth1' });
    const { network, compute, plug, lines } = cloud;
    const made = { label: 'vlans', cidr: '10.0.0.0/24', num_networks: 2, network_size: 16, vlan_start: 200 };
    await network.create_networks(admin, made);
    const [mine, other] = [await cloud.boot(1, 'p'), await cloud.boot(2, 'q')];
    expect(await bridgesOf(compute)).toEqual([]);
    for (const info of [mine, other, mine]) await plug(info);
    expect(await bridgesOf(compute)).toEqual(['br200', 'br201']);
    const guest = await lines.guest('b', 'br200', must(mine[0], 'a card').address);
    expect(await leaseOf(guest)).toBe('10.0.0.3');
    await guest(['ip', 'addr', 'add', '10.0.0.3/24', 'dev', 'eth0'], { timeoutMs: 10_000 });
    const reaches = async (address: string) =>
      (
        await guest(['busybox', 'ping', '-c', '1', '-W', '2', address], {
          ...{ timeoutMs: 30_000, allowedCodes: 'any' },
        })
      ).code === 0;
    expect(await reaches('10.0.0.1')).toBe(true);
    // The gateway of the other network is on the same host, behind another VLAN.
    const strange = await lines.guest('b', 'br201', must(other[0], 'a card').address);
    expect(await leaseOf(strange)).toBe('10.0.0.19');
    await strange(['ip', 'addr', 'add', '10.0.0.4/24', 'dev', 'eth0'], { timeoutMs: 10_000 });
    expect(await reaches('10.0.0.4')).toBe(false);
  }, 400_000);

  it('has its address over flat_interface under FlatDHCPManager', async () => {
    cloud = await cloudOf({
      network_manager: 'nova.network.manager.FlatDHCPManager',
      ...{ flat_network_bridge: 'br100', flat_interface: 'eth1' },
    });
    await cloud.network.create_networks(admin, { label: 'private', cidr: '10.0.1.0/24' });
    const info = await cloud.boot(1, 'p');
    await cloud.plug(info);
    expect(await bridgesOf(cloud.compute)).toEqual(['br100']);
    const guest = await cloud.lines.guest('b', 'br100', must(info[0], 'a card').address);
    expect(await leaseOf(guest)).toBe('10.0.1.2');
  }, 400_000);

  it('has an address but neither bridge nor DHCP from us under FlatManager', async () => {
    cloud = await cloudOf({
      ...{ network_manager: 'nova.network.manager.FlatManager', flat_network_bridge: 'br100' },
    });
    await cloud.network.create_networks(admin, { label: 'private', cidr: '10.0.2.0/24' });
    const info = await cloud.boot(1, 'p');
    await cloud.plug(info);
    expect(info[0]?.network?.subnets[0]?.ips[0]?.address).toBe('10.0.2.2');
    expect(await bridgesOf(cloud.compute)).toEqual([]);
  }, 400_000);

  it('is told why where there is no interface, or no VLANs in the kernel', async () => {
    cloud = await cloudOf({ vlan_interface: 'eth7' });
    await cloud.network.create_networks(admin, { label: 'x', cidr: '10.0.0.0/28', vlan_start: 200 });
    const card = { id: 'v', address: 'fa:16:3e:00:00:01', meta: {} };
    const meta = { tenant_id: 'p', should_create_bridge: true, should_create_vlan: true, vlan: 200 };
    const model = { id: 'n', label: 'x', bridge: 'br200', subnets: [], meta };
    await expect(cloud.plug([{ ...card, network: model }])).rejects.toThrow(
      'vlan_interface eth7 does not exist on this host',
    );
    const { compute } = cloud;
    const without = Object.assign(
      (argv: readonly string[], options: Parameters<Runner>[1]) =>
        compute(argv.includes('vlan') ? ['ip', 'link', 'add', 'x', 'type', 'no_such_kind'] : argv, options),
      { prefix: compute.prefix },
    );
    await expect(ensureVlan(without, 200, 'eth1')).rejects.toThrow('this kernel has no 8021q');
  }, 400_000);
});
