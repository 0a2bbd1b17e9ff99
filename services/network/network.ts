import type { Config } from '@folsom/config';
import { adminContext, isFault, type RunningService, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { hostRunner, type Runner } from '@folsom/host/runner';
import { freeStaleFixedIps } from '@folsom/nova/fixed-ips';
import { ipv6Backend } from '@folsom/nova/ipv6';
import { networkApi } from '@folsom/nova/network-api';
import { allNetworks, networksOnHost, setNetworkHost } from '@folsom/nova/networks';
import { novaOptions } from '@folsom/nova/options';
import { passing } from '@folsom/nova/passing';
import { networkContract } from '@folsom/nova/rpc/network';
import { startHeartbeat } from '@folsom/nova/service-heartbeat';
import { serviceByHostAndBinary, serviceIsUp } from '@folsom/nova/services';
import { type Bus, createNotifier } from '@folsom/rpc';
import { addressQuota } from './address-quota.ts';
import {
  type AddressQuota,
  type AddressSeam,
  associatedOf,
  leaseFixedIp,
  releaseFixedIp,
  setupNetwork,
} from './addresses.ts';
import { networkDefaults } from './create-networks.ts';
import { chooseNames } from './dns/choose.ts';
import { setupFloatingIps } from './floating-ips.ts';
import { networkHandlers } from './handlers.ts';
import { type LeaseSpool, leaseSpool } from './lease-spool.ts';
import { managerKind } from './manager.ts';
import {
  configuredScript,
  fakeNetworkHost,
  linuxNetworkHost,
  type NetworkHost,
  readableByAll,
} from './network-host.ts';

export interface NetworkServiceOptions {
  config: Config;
  db: Database;
  bus: Bus;
  world: World;
  /** Where host commands run: this host, or one inside a network namespace. */
  runner?: Runner;
  quota?: AddressQuota;
}

export interface RunningNetwork extends RunningService {
  /**
   * Makes this host serve what no host serves yet, and puts all that it serves on the host now.
   * @throws what keeps a network from being set up
   */
  setUpNetworks(): Promise<void>;
  /** Takes bridges, addresses, rules and DHCP servers of this host away again. */
  removeNetworkFromHost(): Promise<void>;
}

/** What the operations on networks and addresses work with, before the host itself is looked at. */
async function seamOf(
  options: NetworkServiceOptions,
): Promise<{ seam: AddressSeam; dns: ReturnType<typeof chooseNames> }> {
  const { db, bus, world } = options;
  const settings = options.config.of(novaOptions);
  const log = world.log.child({ service: 'nova-network' });
  const host = settings.host;
  const kind = managerKind(settings.network_manager);
  const dns = chooseNames(settings, {
    ...{ db, clock: world.clock, runner: options.runner ?? hostRunner },
    asRoot: !(await readableByAll(settings.networks_path)),
  });
  const seam: AddressSeam = {
    db,
    bus,
    world,
    log,
    host,
    networkHost: fakeNetworkHost,
    kind,
    ipv6: ipv6Backend(settings.ipv6_backend),
    injects: settings.flat_injected,
    vpnAddress: settings.vpn_ip,
    macAttempts: settings.create_unique_mac_address_attempts,
    leases: null,
    dns,
    quota: options.quota ?? addressQuota(db, world, settings, 'fixed_ips'),
    floatingQuota: addressQuota(db, world, settings, 'floating_ips'),
    floating: {
      defaultPool: settings.default_floating_pool,
      publicInterface: settings.public_interface,
    },
    notify: createNotifier({
      ...{ bus, world, publisherId: `network.${host}` },
      drivers: settings.notification_driver,
      topics: settings.notification_topics,
    }),
    forceRelease: settings.force_dhcp_release,
    client: networkApi({ bus, db, clock: world.clock }).client,
    isUp: async other => {
      // A database that is away does not say that the host is: then its addresses would be freed behind its back.
      const record = await serviceByHostAndBinary(db.knex, other, 'nova-network').catch(error => {
        if (!isFault(error)) throw error;
        return undefined;
      });
      return (
        record !== undefined && serviceIsUp(record, world.clock.now(), settings.service_down_time * 1000)
      );
    },
  };
  return { seam, dns };
}

/** Starts nova-network as the manager that `network_manager` names. */
export async function startNetwork(options: NetworkServiceOptions): Promise<RunningNetwork> {
  const { db, bus, world } = options;
  const settings = options.config.of(novaOptions);
  const host = settings.host;
  const { seam, dns } = await seamOf(options);
  const { log } = seam;
  let leases: LeaseSpool | null = null;
  // FlatManager leaves the host to its operator.
  if (!settings.fake_network && seam.kind !== 'flat') {
    leases = await leaseSpool({
      directory: settings.networks_path,
      clock: world.clock,
      log,
      passing: error => passing(error) !== undefined,
      onEvent: event => (event.action === 'add' ? leaseFixedIp : releaseFixedIp)(seam, event.address),
    });
    seam.leases = leases;
    seam.networkHost = await hostOf(options, leases, dns.namesFile);
    await seam.networkHost.init();
  }
  for (const network of await networksOnHost(db, host)) {
    await setupNetwork(seam, network).catch(error =>
      log.error('cannot set up a network', { network: network.label, error }),
    );
  }
  await setupFloatingIps(seam).catch(error => log.error('cannot set up floating addresses', { error }));
  await refreshNames(seam).catch(error => log.error('cannot serve names', { error }));
  const served = await networkContract.serve(
    bus,
    host,
    networkHandlers(seam, {
      ...networkDefaults(settings),
      autoAssignFloatingIp: settings.auto_assign_floating_ip,
    }),
    { passing },
  );
  const beat = await startHeartbeat({
    db,
    world,
    reportIntervalS: settings.report_interval,
    enabledAtFirst: settings.enable_new_services,
    host,
    binary: 'nova-network',
    topic: settings.network_topic,
    availability_zone: settings.node_availability_zone,
  });

  let running: Promise<void> = Promise.resolve();
  const periodic = world.clock.every(settings.periodic_interval * 1000, () => {
    running = running.then(async () => {
      const before = world.clock.now() - settings.fixed_ip_disassociate_timeout * 1000;
      const freed = await freeStaleFixedIps(db, host, before, world.clock.now());
      if (freed > 0) log.info('gave back addresses whose guests are gone', { freed });
      // Repairs what was changed or killed behind our back: a lost bridge, rules, DHCP server.
      for (const network of await networksOnHost(db, host)) await setupNetwork(seam, network);
      await setupFloatingIps(seam);
      await refreshNames(seam);
    });
    running = running.catch(error => log.error('periodic work failed', { error }));
  });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    periodic.cancel();
    await beat.stop();
    await served.stop();
    await running;
    await leases?.stop();
  };
  log.info('network service started', {
    host,
    fake: seam.networkHost.fake,
    context: adminContext().requestId,
  });
  return {
    name: 'nova-network',
    addresses: [],
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    setUpNetworks: async () => {
      for (const network of await allNetworks(db)) {
        if (network.multi_host) continue;
        await setNetworkHost(db, network.id, host, world.clock.now());
      }
      for (const network of await networksOnHost(db, host)) await setupNetwork(seam, network);
    },
    removeNetworkFromHost: async () => {
      // Or the periodic repair would bring it all back.
      periodic.cancel();
      await running;
      await seam.networkHost.remove(await allNetworks(db));
      for (const names of new Set([dns.floating, dns.instances])) await names.stop();
    },
  };
}

/** What other hosts entered meanwhile is answered here too. */
async function refreshNames({ dns }: AddressSeam): Promise<void> {
  for (const names of new Set([dns.floating, dns.instances])) await names.refresh();
}

async function hostOf(
  options: Omit<NetworkServiceOptions, 'bus' | 'quota'>,
  leases: LeaseSpool | null,
  namesFile: string | undefined,
): Promise<NetworkHost> {
  const { db, world } = options;
  const settings = options.config.of(novaOptions);
  return linuxNetworkHost({
    runner: options.runner ?? hostRunner,
    clock: world.clock,
    log: world.log,
    networksPath: settings.networks_path,
    fixedRange: settings.fixed_range,
    routingSourceIp: settings.routing_source_ip,
    publicInterface: null,
    mtu: settings.network_device_mtu,
    ipv6: settings.use_ipv6,
    announcements: settings.send_arp_for_ha ? settings.send_arp_for_ha_count : 0,
    lockPath: settings.lock_path,
    flatInterface: settings.flat_interface,
    vlanInterface: settings.vlan_interface,
    vpnAddress: settings.vpn_ip,
    metadataHost: settings.metadata_host,
    metadataPort: settings.metadata_port,
    dmzCidr: settings.dmz_cidr,
    dhcpDomain: settings.dhcp_domain,
    singleGateway: settings.use_single_default_gateway,
    dhcpLeaseSeconds: settings.dhcp_lease_time,
    dnsmasqConfigFile: settings.dnsmasq_config_file,
    dnsServer: settings.dns_server,
    namesFile,
    dhcpScript: (await namedScript(options.config)) ?? leases?.script ?? '/bin/true',
    dhcpScriptConfig: settings.dhcpbridge_flagfile[0] ?? '',
    leases,
    associated: associatedOf(db, settings.host),
  });
}

/** The lease script that a file or the command line names; one that merely lies at the default's path may be another cloud's. */
const namedScript = async (config: Config): Promise<string | null> =>
  config.isSet('DEFAULT', 'dhcpbridge') ? configuredScript(config.of(novaOptions).dhcpbridge) : null;
