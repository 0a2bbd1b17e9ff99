import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { injectedNetwork } from './injected-network.ts';

const ip = (address: string) => ({ address, type: 'x', version: address.includes(':') ? 6 : 4, meta: {} });
const fixed = (address: string) => ({ ...ip(address), floating_ips: [] });

const card = (third: number, injected: boolean, gateway = true): NetworkInfo[number] => ({
  id: `v${third}`,
  address: `fa:16:3e:00:00:0${third}`,
  meta: {},
  network: {
    id: `n${third}`,
    bridge: 'br100',
    label: 'x',
    meta: { tenant_id: null, ...(injected ? { injected } : {}) },
    subnets: [
      {
        cidr: `10.0.${third}.0/24`,
        version: 4,
        dns: [ip('8.8.4.4'), ip('8.8.8.8')],
        gateway: gateway ? ip(`10.0.${third}.1`) : null,
        ips: [fixed(`10.0.${third}.5`), fixed(`10.0.${third}.6`)],
        routes: [],
        meta: {},
      },
      {
        cidr: `fd00:${third}::/64`,
        version: 6,
        dns: [],
        gateway: ip('fe80::1'),
        ips: [fixed(`fd00:${third}::5`)],
        routes: [],
        meta: {},
      },
    ],
  },
});

describe('the interfaces of a guest', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'injected-network-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('are those of its cards in injected networks, counted among all', async () => {
    const network = [
      card(1, false),
      card(2, true),
      { ...card(3, true), network: null },
      card(4, true, false),
    ];
    expect(await injectedNetwork(network, { template: join(dir, 'nowhere'), ipv6: false })).toBe(
      `# The network of this instance, written at its first start.
auto lo
iface lo inet loopback

auto eth1
iface eth1 inet static
    address 10.0.2.5
    netmask 255.255.255.0
    broadcast 10.0.2.255
    gateway 10.0.2.1
    dns-nameservers 8.8.4.4 8.8.8.8

auto eth2
iface eth2 inet static
    address 10.0.4.5
    netmask 255.255.255.0
    broadcast 10.0.4.255
    dns-nameservers 8.8.4.4 8.8.8.8
`,
    );
  });

  it('have their IPv6 part with use_ipv6', async () => {
    const text = await injectedNetwork([card(1, true)], { template: '/nowhere', ipv6: true });
    expect(text).toContain(
      'iface eth0 inet6 static\n    address fd00:1::5\n    netmask 64\n    gateway fe80::1\n',
    );
  });

  it("take the operator's form", async () => {
    const template = join(dir, 'template');
    await writeFile(template, '#for $ifc in $interfaces\n$ifc.name $ifc.address_v6$ifc.gateway\n#end for\n');
    expect(await injectedNetwork([card(1, true)], { template, ipv6: false })).toBe('eth0 10.0.1.1\n');
    await writeFile(template, '$interfaces.x');
    await expect(injectedNetwork([card(1, true)], { template, ipv6: false })).rejects.toThrow('line 1');
  });

  it('are none without an injected network, and without a form', async () => {
    expect(await injectedNetwork([card(1, false)], { template: '/nowhere', ipv6: false })).toBeNull();
    expect(await injectedNetwork([card(1, true)], { template: '', ipv6: false })).toBeNull();
  });
});
