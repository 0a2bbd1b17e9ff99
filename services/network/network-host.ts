import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, coalesced, keyedMutex, type Logger, must } from '@folsom/core';
import {
  ensureAddress,
  ensureFirstAddress,
  removeAddress,
  removeBridge,
  removeVlan,
  setSysctl,
  vlanDevice,
} from '@folsom/host/bridges';
import { dhcpHost, dnsmasq, withoutGateway } from '@folsom/host/dnsmasq';
import { iptables } from '@folsom/host/iptables';
import { type BridgeHost, ensureNetworkBridge } from '@folsom/host/network-bridge';
import { HOST_COMMAND_MS } from '@folsom/host/runner';
import type { AssociatedFixedIp } from '@folsom/nova/fixed-ips';
import { parseCidr } from '@folsom/nova/ipv4';
import type { NetworkRow } from '@folsom/nova/networks';
import type { LeaseSpool } from './lease-spool.ts';
import { leaseLinesOf } from './leases.ts';
import { noRouterV6, routerV6 } from './router-v6.ts';

export interface FloatingBinding {
  floating: string;
  fixed: string;
  device: string | null;
}

/** What nova-network does to its host for a network. */
export interface NetworkHost {
  /** True where nothing is done (fake_network): addresses are only numbers. */
  readonly fake: boolean;
  /** Rules that concern no network in particular. */
  init(): Promise<void>;
  /**
   * Bridge, gateway address, forwarding, DHCP, and with use_ipv6 the announcement of the IPv6 block. `address` is what this host answers
   * DHCP on; the answer has this host's address as IPv6 router where it is known.
   */
  setup(network: NetworkRow, address: string): Promise<{ gatewayV6: string | undefined }>;
  /** Makes DHCP know the addresses given out now; with `forget` also that nobody holds others any more. */
  refreshDhcp(network: NetworkRow, address: string, forget?: boolean): Promise<void>;
  /** Lets a floating address lead to a fixed one; `device` carries it outside. */
  addFloating(floating: string, fixed: string, device: string | null): Promise<void>;
  removeFloating(floating: string, fixed: string, device: string | null): Promise<void>;
  /** Exactly these floating addresses lead somewhere. */
  setFloating(served: readonly FloatingBinding[]): Promise<void>;
  /** Takes away what serves one network that exists no longer. */
  forget(network: NetworkRow): Promise<void>;
  /** Undoes everything for the networks given. */
  remove(networks: readonly NetworkRow[]): Promise<void>;
}

export const fakeNetworkHost: NetworkHost = {
  fake: true,
  init: async () => {},
  setup: async () => ({ gatewayV6: undefined }),
  refreshDhcp: async () => {},
  addFloating: async () => {},
  removeFloating: async () => {},
  setFloating: async () => {},
  forget: async () => {},
  remove: async () => {},
};

export interface LinuxNetworkOptions extends BridgeHost {
  lockPath: string;
  clock: Clock;
  log: Logger;
  /** Folder of hosts files, pid files and leases. */
  networksPath: string;
  /** Block of all fixed addresses, for the rules that leave them untranslated among themselves. */
  fixedRange: string;
  /** Address guests appear under outside; a loopback address means "whatever the way out has". */
  routingSourceIp: string;
  publicInterface: string | null;
  /** Whether this host is its guests' IPv6 router (use_ipv6). */
  ipv6: boolean;
  /** How often an address that comes to this host is announced to its neighbours; 0: not at all. */
  announcements: number;
  /** Public address whose ports lead to the VPN guests of networks. */
  vpnAddress: string;
  metadataHost: string;
  metadataPort: number;
  dmzCidr: readonly string[];
  dhcpDomain: string;
  /** Whether only the first card of a guest is told of a gateway. */
  singleGateway: boolean;
  dhcpLeaseSeconds: number;
  dnsmasqConfigFile: string;
  dnsServer: string | null;
  /** File of further names that guests are told; undefined for none. */
  namesFile?: string | undefined;
  dhcpScript: string;
  /** Configuration file of the script (FLAGFILE in its environment). */
  dhcpScriptConfig: string;
  leases: LeaseSpool | null;
  /** Addresses of a network with the cards they belong to. */
  associated: (network: NetworkRow) => Promise<AssociatedFixedIp[]>;
}

/** Rules of a floating address: in from outside and from this host, and out under its own name. */
const floatingRules = ({ floating, fixed, device }: FloatingBinding): [chain: string, rule: string][] => [
  ['PREROUTING', `-d ${floating}/32 -j DNAT --to-destination ${fixed}`],
  ['OUTPUT', `-d ${floating}/32 -j DNAT --to-destination ${fixed}`],
  ['float-snat', `-s ${fixed}/32${device ? ` -o ${device}` : ''} -j SNAT --to-source ${floating}`],
];

const VPN_PORT = 1194;

/** Rules of the way to a network's VPN, where it comes in by the address of all VPNs; one that is set otherwise is its operator's business. */
function vpnRules(
  network: NetworkRow,
  address: string,
): [table: 'filter' | 'nat', chain: string, rule: string][] {
  const { vpn_public_address: outside, vpn_public_port: port, vpn_private_address: inside } = network;
  if (!network.vlan || outside !== address || !port || !inside) return [];
  const forward = `-d ${address}/32 -p udp -m udp --dport ${port} -j DNAT --to-destination ${inside}:${VPN_PORT}`;
  return [
    ['filter', 'FORWARD', `-d ${inside}/32 -p udp -m udp --dport ${VPN_PORT} -j ACCEPT`],
    ['nat', 'PREROUTING', forward],
    ['nat', 'OUTPUT', forward],
  ];
}

const METADATA_ADDRESS = '169.254.169.254';

const isLoopback = (address: string): boolean => address.startsWith('127.');

export function linuxNetworkHost(options: LinuxNetworkOptions): NetworkHost {
  const { runner, log } = options;
  const rules = iptables({ runner, binary: 'nova-network', lockPath: options.lockPath });
  const router = options.ipv6 ? routerV6(options) : noRouterV6;
  const inTurn = keyedMutex();
  const refreshers = new Map<number, () => Promise<void>>();
  let asRoot = false;
  /** Networks whose DHCP server has leases to forget. */
  const forgetful = new Set<number>();
  /** Rules of the VPNs, by network. */
  const vpns = new Map<number, ReturnType<typeof vpnRules>>();
  const current = new Map<number, { network: NetworkRow; address: string }>();

  const server = (network: NetworkRow, address: string) =>
    dnsmasq(runner, {
      directory: options.networksPath,
      device: must(network.bridge, 'bridge is there'),
      listenAddress: address,
      label: network.label,
      rangeStart: network.dhcp_start ?? address,
      netmask: network.netmask ?? '255.255.255.0',
      leaseSeconds: options.dhcpLeaseSeconds,
      leasesMax: network.cidr === null ? 256 : parseCidr(network.cidr).size,
      domain: options.dhcpDomain,
      script: options.dhcpScript,
      // Or the configured lease script would look for nova.conf at its usual place.
      env: { FLAGFILE: options.dhcpScriptConfig, NETWORK_ID: String(network.id) },
      configFile: options.dnsmasqConfigFile,
      server: options.dnsServer,
      ...(options.namesFile === undefined ? {} : { namesFile: options.namesFile }),
      ownOptions: options.singleGateway,
      asRoot,
    });

  /** Neighbours learn at once where an address is now; nobody waits for it, and a host without arping goes on without. */
  const announce = (address: string, device: string): void => {
    if (options.announcements === 0) return;
    const count = String(options.announcements);
    const timeoutMs = HOST_COMMAND_MS + options.announcements * 1000;
    runner(['arping', '-U', address, '-A', '-I', device, '-c', count], { timeoutMs }).catch(error =>
      log.warn('cannot announce an address', { address, device, error }),
    );
  };

  const writeDhcp = async (network: NetworkRow, address: string): Promise<void> => {
    const known = await options.associated(network);
    if (options.leases !== null) {
      const lines = leaseLinesOf(known, options.dhcpLeaseSeconds, options.clock.now());
      await options.leases.writeLeases(network.id, lines);
    }
    const tagOf = ({ card, further }: AssociatedFixedIp) =>
      options.singleGateway && further ? `NW-${card}` : undefined;
    const hosts = known.map(entry => dhcpHost({ ...entry, domain: options.dhcpDomain, tag: tagOf(entry) }));
    const cards = known.flatMap(entry => tagOf(entry) ?? []).map(withoutGateway);
    await server(network, address).update(hosts, { forget: forgetful.delete(network.id), cards });
  };

  const setup = (network: NetworkRow, address: string) =>
    inTurn(String(network.id), async () => {
      const bridge = must(network.bridge, 'bridge is there');
      const { label, vlan, bridge_interface: bridgeInterface } = network;
      await ensureNetworkBridge(options, { label, bridge, vlan, bridgeInterface });
      if (!(await setSysctl(runner, 'net.ipv4.ip_forward', '1'))) {
        log.warn('cannot turn on forwarding; guests will not reach other networks');
      }
      // So that traffic between guests of one bridge passes the security groups too.
      await setSysctl(runner, 'net.bridge.bridge-nf-call-iptables', '1');
      await ensureFirstAddress(runner, bridge, {
        address,
        prefix: network.cidr === null ? 24 : parseCidr(network.cidr).prefix,
        broadcast: network.broadcast,
      });
      // DHCP answers of a virtual card leave without a checksum, which some guests do not forgive.
      rules.addRule(
        'mangle',
        'POSTROUTING',
        `-o ${bridge} -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill`,
      );
      rules.addRule('filter', 'FORWARD', `-i ${bridge} -j ACCEPT`);
      rules.addRule('filter', 'FORWARD', `-o ${bridge} -j ACCEPT`);
      for (const port of [67, 53]) {
        for (const protocol of ['udp', 'tcp']) {
          rules.addRule(
            'filter',
            'INPUT',
            `-i ${bridge} -p ${protocol} -m ${protocol} --dport ${port} -j ACCEPT`,
          );
        }
      }
      for (const rule of vpns.get(network.id) ?? []) rules.removeRule(...rule);
      vpns.set(network.id, vpnRules(network, options.vpnAddress));
      for (const rule of vpns.get(network.id) ?? []) rules.addRule(...rule);
      await rules.apply();
      await writeDhcp(network, address);
      if (!current.has(network.id)) announce(address, bridge);
      current.set(network.id, { network, address });
      return { gatewayV6: await router.setup(network) };
    });

  const bound = new Map<string, FloatingBinding>();
  const unbind = async (binding: FloatingBinding): Promise<void> => {
    if (binding.device) await removeAddress(runner, binding.device, `${binding.floating}/32`);
    for (const [chain, rule] of floatingRules(binding)) rules.removeRule('nat', chain, rule);
    bound.delete(binding.floating);
  };

  const forget = async (network: NetworkRow): Promise<void> => {
    if (network.bridge === null) return;
    const address = current.get(network.id)?.address ?? network.gateway;
    await server(network, address ?? '0.0.0.0').stop();
    current.delete(network.id);
    for (const rule of vpns.get(network.id) ?? []) rules.removeRule(...rule);
    vpns.delete(network.id);
    const shared = [...current.values()].some(other => other.network.bridge === network.bridge);
    if (shared) return;
    await router.forget(network);
    const port = network.vlan ? vlanDevice(network.vlan) : options.flatInterface || network.bridge_interface;
    await removeBridge(runner, network.bridge, port, address);
    if (network.vlan) await removeVlan(runner, network.vlan);
  };

  return {
    fake: false,
    async init() {
      const range = options.fixedRange;
      const way = options.publicInterface ? ` -o ${options.publicInterface}` : '';
      rules.setRules('nat', 'snat', [
        '-j $float-snat',
        isLoopback(options.routingSourceIp)
          ? `-s ${range} ! -d ${range} -j MASQUERADE`
          : `-s ${range} -j SNAT --to-source ${options.routingSourceIp}${way}`,
      ]);
      rules.setRules('nat', 'POSTROUTING', [
        `-s ${range} -d ${options.metadataHost}/32 -j ACCEPT`,
        ...options.dmzCidr.map(cidr => `-s ${range} -d ${cidr} -j ACCEPT`),
        `-s ${range} -d ${range} -m conntrack ! --ctstate DNAT -j ACCEPT`,
      ]);
      const toMetadata = isLoopback(options.metadataHost)
        ? `-j REDIRECT --to-ports ${options.metadataPort}`
        : `-j DNAT --to-destination ${options.metadataHost}:${options.metadataPort}`;
      rules.setRules('nat', 'PREROUTING', [
        `-d ${METADATA_ADDRESS}/32 -p tcp -m tcp --dport 80 ${toMetadata}`,
      ]);
      rules.addRule('filter', 'INPUT', `-s ${range} -p tcp -m tcp --dport ${options.metadataPort} -j ACCEPT`);
      await ensureAddress(runner, 'lo', `${METADATA_ADDRESS}/32`, 'link');
      await rules.apply();
      await router.init();
      asRoot = !(await readableByAll(options.networksPath));
    },

    setup,

    async refreshDhcp(network, address, forget = false) {
      if (forget) forgetful.add(network.id);
      const known = current.get(network.id);
      if (known === undefined || known.address !== address) {
        await setup(network, address);
        return;
      }
      let refresh = refreshers.get(network.id);
      if (refresh === undefined) {
        refresh = coalesced(() => inTurn(String(network.id), () => writeDhcp(network, address)));
        refreshers.set(network.id, refresh);
      }
      await refresh();
    },

    async addFloating(floating, fixed, device) {
      const binding = { floating, fixed, device };
      if (device) await ensureAddress(runner, device, `${floating}/32`);
      if (device && !bound.has(floating)) announce(floating, device);
      for (const [chain, rule] of floatingRules(binding)) rules.addRule('nat', chain, rule);
      bound.set(floating, binding);
      await rules.apply();
    },
    async removeFloating(floating, fixed, device) {
      await unbind({ floating, fixed, device });
      await rules.apply();
    },
    async setFloating(served) {
      const wanted = new Set(served.map(binding => binding.floating));
      for (const binding of [...bound.values()]) if (!wanted.has(binding.floating)) await unbind(binding);
      for (const binding of served) {
        if (binding.device) await ensureAddress(runner, binding.device, `${binding.floating}/32`);
        if (binding.device && !bound.has(binding.floating)) announce(binding.floating, binding.device);
        for (const [chain, rule] of floatingRules(binding)) rules.addRule('nat', chain, rule);
        bound.set(binding.floating, binding);
      }
      await rules.apply();
    },

    forget: network => inTurn(String(network.id), () => forget(network)),

    async remove(networks) {
      for (const binding of [...bound.values()]) await unbind(binding);
      for (const network of networks) await inTurn(String(network.id), () => forget(network));
      await rules.removeAll();
      await router.removeAll();
      await removeAddress(runner, 'lo', `${METADATA_ADDRESS}/32`);
    },
  };
}

/** Whether every folder up to `path` lets everybody through. */
export async function readableByAll(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => undefined);
    if (info === undefined || (info.mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Where the lease script of the configuration is; null when it does not exist and our own takes its place. */
export async function configuredScript(path: string): Promise<string | null> {
  return access(path, constants.X_OK).then(
    () => path,
    () => null,
  );
}
