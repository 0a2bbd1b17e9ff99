import type { Random } from '@folsom/core';
import type { Database } from '@folsom/db';
import { createNetworks } from '@folsom/network/create-networks';
import { createFloatingIps } from '@folsom/nova/floating-ip-blocks';

/** The recorder's network and its two pools of floating addresses. `settings`: nova's own options. */
export async function recordedNetworks(
  db: Database,
  random: Random,
  now: number,
  settings: Record<string, unknown>,
): Promise<void> {
  await createNetworks(
    { db, random, now },
    {
      label: 'private',
      cidr: '10.0.0.0/22',
      num_networks: 1,
      network_size: 1024,
      bridge_interface: 'dummy0',
    },
    {
      bridge: settings.flat_network_bridge as string,
      bridgeInterface: settings.flat_interface as string,
      numNetworks: 1,
      networkSize: 256,
      dns1: settings.flat_network_dns as string,
      multiHost: false,
    },
  );
  for (const [pool, base, count] of [
    ['nova', '172.24.4.', 30],
    ['test', '172.24.5.', 6],
  ] as const) {
    const from = pool === 'nova' ? 225 : 1;
    const addresses = Array.from({ length: count }, (_none, at) => `${base}${from + at}`);
    await createFloatingIps(db, { addresses, pool, interface: 'eth0' }, now);
  }
}
