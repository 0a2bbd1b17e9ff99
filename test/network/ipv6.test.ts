import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { adminContext, must, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import { dbSync, openDatabase } from '@folsom/db';
import type { Runner } from '@folsom/host/runner';
import { startNetwork } from '@folsom/network';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus } from '@folsom/rpc';
import { canMakeNamespaces, eventually } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import { trunkSwitch } from './switch.ts';

/** A network host that is its guests' router of IPv6, with a real radvd. */

const world = { clock: systemClock, random: seededRandom(12), log: silentLogger };
const admin = adminContext();
const installed = await access('/usr/sbin/radvd').then(
  () => true,
  () => false,
);
const ipv6 = await access('/proc/sys/net/ipv6/conf').then(
  () => true,
  () => false,
);
const there =
  needs('root and network namespaces', canMakeNamespaces()) &&
  needs('radvd', installed) &&
  needs('a kernel with IPv6', ipv6);
if (!there) console.warn('IPv6 of networks: no right to make namespaces, no radvd or no IPv6, left out');

/** Addresses of IPv6 that a device may use, as texts. */
async function addressesOf(host: Runner, device: string, scope: 'global' | 'link'): Promise<string[]> {
  const words = ['ip', '-6', '-j', 'addr', 'show', 'dev', device, 'scope', scope, '-tentative'];
  const { stdout } = await host(words, { timeoutMs: 30_000 });
  const links = JSON.parse(stdout || '[]') as { addr_info?: { local?: string }[] }[];
  return links.flatMap(link => link.addr_info ?? []).flatMap(({ local }) => local ?? []);
}

describe.skipIf(!there)('guests of a network with a block of IPv6', () => {
  it('give themselves the address that is told of them, and have this host as their router', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ipv6-'));
    const lines = await trunkSwitch(`v${process.pid % 1000}`);
    const db = await openDatabase({ connection: 'sqlite://' });
    const host = await lines.host('a');
    await dbSync(db, 'nova');
    const config = configFrom([novaOptions], {
      DEFAULT: {
        ...{ host: 'a', state_path: dir, fixed_range: '10.0.0.0/24', use_ipv6: true },
        ...{ network_manager: 'nova.network.manager.FlatDHCPManager', flat_network_bridge: 'br100' },
      },
    });
    const bus = createLocalBus(world);
    const service = await startNetwork({ config, db, bus, world, runner: host });
    try {
      const network = networkContract.client(bus);
      const created = { label: 'private', cidr: '10.0.0.0/28', cidr_v6: 'fd00:1::/64' };
      const [made] = await network.create_networks(admin, created);
      const uuid = '00000000-0000-4000-8000-000000000001';
      const row = { uuid, hostname: 'vm-1', project_id: 'p', host: 'a', deleted: 0 };
      const [id] = await db.knex('instances').insert(row);
      const whose = { instance_id: id as number, instance_uuid: uuid, project_id: 'p', host: 'a' };
      const info = await network.allocate_for_instance(admin, {
        ...{ ...whose, rxtx_factor: 1, requested_networks: null, vpn: false },
      });
      const card = must(info[0], 'a card');
      const own = card.network?.subnets.find(({ version }) => version === 6)?.ips[0]?.address;

      const guest = await lines.guest('a', 'br100', card.address);
      // Announcements come every ten seconds, and later on a busy machine.
      await expect.poll(() => addressesOf(guest, 'eth0', 'global'), { timeout: 90_000 }).toEqual([own]);
      await eventually(() => addressesOf(host, 'br100', 'link')).toHaveLength(1);
      const router = must((await addressesOf(host, 'br100', 'link'))[0], 'the bridge has an address');
      const { stdout } = await guest(['ip', '-6', 'route', 'show', 'default'], { timeoutMs: 30_000 });
      expect(stdout).toContain(`via ${router} dev eth0`);
      expect(await readFile(join(dir, 'networks/nova-ra-br100.conf'), 'utf8')).toContain(
        'prefix fd00:1::/64',
      );

      // What its cards are told to let pass as their router is what the bridge calls itself.
      await service.setUpNetworks();
      expect(await network.get_network(admin, { network_uuid: must(made, 'a network').uuid })).toMatchObject({
        gateway_v6: router,
      });
      const pid = Number(await readFile(join(dir, 'networks/nova-ra-br100.pid'), 'utf8'));
      await service.removeNetworkFromHost();
      expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).not.toContain('radvd');
      const left = await host(['ip6tables-save'], { timeoutMs: 30_000 });
      expect(left.stdout).not.toContain('nova');
    } finally {
      await service.removeNetworkFromHost();
      await service.stop();
      await db.close();
      await lines.remove();
      await rm(dir, { recursive: true, force: true });
    }
  }, 200_000);
});
