import type { TokenValidator } from '@folsom/auth';
import { startCert } from '@folsom/cert';
import { fakeDriver, imageClient, startCompute } from '@folsom/compute-agent';
import { startComputeApi } from '@folsom/compute-api';
import { novaPolicy } from '@folsom/compute-api/default-policy';
import { type Config, configFrom } from '@folsom/config';
import { consoleOptions, startConsoleAuth, startNovncProxy } from '@folsom/console';
import { startConsole } from '@folsom/console/console';
import { adminContext, type RunningService } from '@folsom/core';
import { startMetadata } from '@folsom/metadata';
import { startNetwork } from '@folsom/network';
import { allNetworks } from '@folsom/nova/networks';
import { novaOptions } from '@folsom/nova/options';
import { networkContract } from '@folsom/nova/rpc/network';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import type { PartOptions } from './cloud.ts';

/** Name of this node in nova's service records. */
const NODE = 'folsom';
export const BRIDGE = 'br100';

/** nova.conf of the all-in-one cloud. */
export function novaConfig(options: PartOptions): Config {
  const { layout, ports, hostIp, compute, fixedRange } = options;
  const real = compute.driver === 'libvirt';
  return configFrom([novaOptions, schedulerOptions, trustOptions, consoleOptions], {
    DEFAULT: {
      host: NODE,
      my_ip: hostIp,
      auth_strategy: 'keystone',
      state_path: layout.nova,
      instances_path: layout.instances,
      networks_path: layout.networks,
      lock_path: `${layout.nova}/lock`,
      osapi_compute_listen: hostIp,
      osapi_compute_listen_port: ports.compute,
      metadata_listen: real ? '0.0.0.0' : hostIp,
      metadata_listen_port: ports.metadata,
      metadata_port: ports.metadata,
      glance_api_servers: `${hostIp}:${ports.image}`,
      compute_driver: real ? 'libvirt.LibvirtDriver' : 'fake.FakeDriver',
      libvirt_type: compute.why.startsWith('KVM') ? 'kvm' : 'qemu',
      firewall_driver: real ? 'nova.virt.libvirt.firewall.IptablesFirewallDriver' : null,
      network_manager: 'nova.network.manager.FlatDHCPManager',
      fake_network: !real,
      flat_network_bridge: BRIDGE,
      fixed_range: fixedRange,
      force_dhcp_release: true,
      novncproxy_host: hostIp,
      novncproxy_port: ports.novncproxy,
      novncproxy_base_url: `http://${hostIp}:${ports.novncproxy}/vnc_auto.html`,
      vncserver_listen: '127.0.0.1',
      vncserver_proxyclient_address: '127.0.0.1',
      // One machine: heartbeats and clean-ups may be quick.
      periodic_fuzzy_delay: 0,
    },
  });
}

/** Starts the nova daemons; front ends last. Every started service is handed to `started` at once, for a clean undo. */
export async function startComputePart(
  options: PartOptions,
  validator: TokenValidator,
  started: (service: RunningService) => void,
): Promise<void> {
  const { databases, bus, world, hostIp, ports, metrics, tell } = options;
  const config = novaConfig(options);
  const db = databases.nova;
  const common = { config, db, bus, world };

  const network = await tell('starting network', () => startNetwork(common));
  started(network);
  await ensureNetwork(options);
  started(await startScheduler(common));
  started(await startConsoleAuth(common));
  started(await startConsole(common));
  started(await startCert(common));
  const driver = fakeDriver({ host: NODE });
  const images = imageClient({ servers: [`${hostIp}:${ports.image}`] });
  started(await tell('starting compute', () => startCompute({ ...common, driver, images })));
  started(
    await startComputeApi({
      config,
      database: db,
      bus,
      validator,
      policy: novaPolicy(),
      world,
      metrics,
      authUri: `http://${hostIp}:${ports.identityPublic}`,
    }),
  );
  started(await startMetadata(common));
  started(await startNovncProxy({ config, bus, world }));
}

/** The network of the guests, made at the first start. */
async function ensureNetwork({ databases, bus, fixedRange }: PartOptions): Promise<void> {
  const present = await allNetworks(databases.nova);
  if (present.length > 0) return;
  await networkContract.client(bus).create_networks(adminContext(), {
    label: 'private',
    cidr: fixedRange,
    num_networks: 1,
    bridge: BRIDGE,
    multi_host: false,
  });
}
