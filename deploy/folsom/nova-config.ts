import { type Config, configFrom } from '@folsom/config';
import { consoleOptions } from '@folsom/console';
import { novaOptions } from '@folsom/nova/options';
import { schedulerOptions, trustOptions } from '@folsom/scheduler';
import { BRIDGE } from './layout.ts';
import type { PartOptions } from './part.ts';

/** Name of this node in nova's service records. */
const NODE = 'folsom';

/** nova.conf of the all-in-one cloud. */
export function novaConfig(
  options: Pick<PartOptions, 'layout' | 'ports' | 'hostIp' | 'compute' | 'fixedRange' | 'nova'>,
): Config {
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
      // Guests read their key from the metadata service; written into disks, every guest would need a whole copy.
      libvirt_inject_key: false,
      fake_network: !real,
      flat_network_bridge: BRIDGE,
      fixed_range: fixedRange,
      force_dhcp_release: true,
      // After a restart of the machine `npm start` brings everything back.
      resume_guests_state_on_host_boot: true,
      novncproxy_host: hostIp,
      novncproxy_port: ports.novncproxy,
      novncproxy_base_url: `http://${hostIp}:${ports.novncproxy}/vnc_auto.html`,
      xvpvncproxy_host: hostIp,
      xvpvncproxy_port: ports.xvpvncproxy,
      xvpvncproxy_base_url: `http://${hostIp}:${ports.xvpvncproxy}/console`,
      vncserver_listen: '127.0.0.1',
      vncserver_proxyclient_address: '127.0.0.1',
      // One machine: heartbeats and clean-ups may be quick.
      periodic_fuzzy_delay: 0,
      ...options.nova,
    },
  });
}
