import { type Fault, isFault, must } from '@folsom/core';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

interface AddressInfo {
  family: string;
  local: string;
  prefixlen: number;
  broadcast?: string;
  scope: string;
}
interface LinkInfo {
  ifname: string;
  master?: string;
  operstate?: string;
  flags?: string[];
  addr_info?: AddressInfo[];
}
interface RouteInfo {
  dst: string;
  gateway?: string;
  dev: string;
  metric?: number;
}

/** The routes that lead through a card to a gateway: they go when its addresses do. */
const gatewayRoutes = async (runner: Runner, card: string): Promise<RouteInfo[]> =>
  (await ipJson<RouteInfo>(runner, 'route', 'show', 'dev', card)).filter(route => route.gateway);

async function putRoutes(runner: Runner, routes: readonly RouteInfo[], card: string): Promise<void> {
  for (const { dst, gateway } of routes) {
    const via = must(gateway, 'gateway is there');
    await tolerant(ip(runner, 'route', 'replace', dst, 'via', via, 'dev', card));
  }
}

const ip = (runner: Runner, ...args: string[]) => runner(['ip', ...args], { timeoutMs: HOST_COMMAND_MS });

async function ipJson<T>(runner: Runner, ...args: string[]): Promise<T[]> {
  const { stdout } = await ip(runner, '-j', ...args);
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as T[]);
}

/** Whether something already is the way we are about to make it; `ip` says so with words, not codes. */
const alreadyThere = (error: unknown): boolean =>
  isFault(error, 'ProcessExecutionError') &&
  /File exists|already assigned|Address not found|Cannot find device|Cannot assign requested address/.test(
    String((error as Fault).values.stderr),
  );

/** The kernel, or its module directory, has no devices of the kind asked for. */
const noSuchKind = (error: unknown): boolean =>
  isFault(error, 'ProcessExecutionError') &&
  /Unknown device type|Operation not supported/.test(String((error as Fault).values.stderr));

async function tolerant(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!alreadyThere(error)) throw error;
  }
}

export async function linkInfo(runner: Runner, device: string): Promise<LinkInfo | undefined> {
  const { code, stdout } = await runner(['ip', '-j', 'addr', 'show', 'dev', device], {
    timeoutMs: HOST_COMMAND_MS,
    allowedCodes: [0, 1],
  });
  if (code !== 0) return undefined;
  return (JSON.parse(stdout) as LinkInfo[]).find(link => link.ifname === device);
}

/** Global IPv4 addresses of a device in order, as `address/prefix`. */
export async function addressesOf(runner: Runner, device: string): Promise<AddressInfo[]> {
  const link = await linkInfo(runner, device);
  return (link?.addr_info ?? []).filter(info => info.family === 'inet' && info.scope === 'global');
}

/**
 * Makes a bridge unless it exists, and, when `port` is given, puts that network card into it: its addresses and
 * routes move to the bridge so that the host stays reachable. Without a port the bridge stands alone.
 */
export async function ensureBridge(runner: Runner, bridge: string, port: string | null): Promise<void> {
  if ((await linkInfo(runner, bridge)) === undefined) {
    await tolerant(
      ip(runner, 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0'),
    );
  }
  await ip(runner, 'link', 'set', bridge, 'up');
  if (port === null || port === '') return;
  const card = await linkInfo(runner, port);
  if (card === undefined)
    throw new Error(`interface ${port} for bridge ${bridge} does not exist on this host`);
  if (card.master !== undefined && card.master !== bridge) {
    throw new Error(`interface ${port} for bridge ${bridge} already belongs to the bridge ${card.master}`);
  }
  if (card.master === bridge && (card.addr_info ?? []).every(info => info.scope !== 'global')) return;
  const routes = await gatewayRoutes(runner, port);
  const addresses = await addressesOf(runner, port);
  if (card.master !== bridge) await ip(runner, 'link', 'set', port, 'master', bridge);
  await ip(runner, 'link', 'set', port, 'up');
  await moveAddresses(runner, addresses, port, bridge);
  await putRoutes(runner, routes, bridge);
}

/** Folsom's name of a VLAN's device. */
export const vlanDevice = (vlan: number): string => `vlan${vlan}`;

/** Makes the device that carries a VLAN over a network card unless it exists, and gives its name. */
export async function ensureVlan(runner: Runner, vlan: number, card: string): Promise<string> {
  const device = vlanDevice(vlan);
  if ((await linkInfo(runner, device)) === undefined) {
    if ((await linkInfo(runner, card)) === undefined) {
      throw new Error(`vlan_interface ${card} does not exist on this host`);
    }
    const words = ['link', 'add', 'link', card, 'name', device, 'type', 'vlan', 'id', String(vlan)];
    await tolerant(ip(runner, ...words)).catch(error => {
      if (!noSuchKind(error)) throw error;
      throw new Error(
        `VLAN ${vlan} cannot be made on ${card}: this kernel has no 8021q (try modprobe 8021q, or use FlatDHCPManager)`,
      );
    });
  }
  await ip(runner, 'link', 'set', device, 'up');
  return device;
}

export const removeVlan = (runner: Runner, vlan: number): Promise<void> =>
  tolerant(ip(runner, 'link', 'del', vlanDevice(vlan)));

async function moveAddresses(
  runner: Runner,
  addresses: AddressInfo[],
  from: string,
  to: string,
): Promise<void> {
  await keepingLocal(runner, addresses, async () => {
    for (const address of addresses) {
      const full = `${address.local}/${address.prefixlen}`;
      await tolerant(ip(runner, 'addr', 'del', full, 'dev', from));
      const broadcast = address.broadcast === undefined ? [] : ['brd', address.broadcast];
      await tolerant(ip(runner, 'addr', 'add', full, ...broadcast, 'dev', to));
    }
  });
}

/**
 * Does work that takes addresses off a device for a moment. Meanwhile they stand on the loopback device, so that
 * programs of this host that talk to each other by them notice nothing.
 */
async function keepingLocal(
  runner: Runner,
  addresses: readonly AddressInfo[],
  work: () => Promise<void>,
): Promise<void> {
  const loopback = await linkInfo(runner, 'lo');
  const own = new Set((loopback?.addr_info ?? []).map(info => info.local));
  const kept = addresses.filter(address => !own.has(address.local));
  for (const { local } of kept) {
    await tolerant(ip(runner, 'addr', 'add', `${local}/32`, 'dev', 'lo', 'scope', 'host'));
  }
  try {
    await work();
  } finally {
    for (const { local } of kept) await tolerant(ip(runner, 'addr', 'del', `${local}/32`, 'dev', 'lo'));
  }
}

/**
 * Makes `address/prefix` the first global address of a device, which dnsmasq needs in order to answer properly;
 * other addresses stay, behind it, and routes through gateways survive.
 */
export async function ensureFirstAddress(
  runner: Runner,
  device: string,
  wanted: { address: string; prefix: number; broadcast: string | null },
): Promise<void> {
  const present = await addressesOf(runner, device);
  const first = present[0];
  if (first !== undefined && first.local === wanted.address && first.prefixlen === wanted.prefix) return;
  const routes = await gatewayRoutes(runner, device);
  await keepingLocal(runner, present, async () => {
    for (const old of present) {
      await tolerant(ip(runner, 'addr', 'del', `${old.local}/${old.prefixlen}`, 'dev', device));
    }
    const broadcast = wanted.broadcast ? ['brd', wanted.broadcast] : [];
    await tolerant(
      ip(runner, 'addr', 'add', `${wanted.address}/${wanted.prefix}`, ...broadcast, 'dev', device),
    );
    for (const old of present) {
      if (old.local === wanted.address) continue;
      const brd = old.broadcast === undefined ? [] : ['brd', old.broadcast];
      await tolerant(ip(runner, 'addr', 'add', `${old.local}/${old.prefixlen}`, ...brd, 'dev', device));
    }
  });
  await putRoutes(runner, routes, device);
}

/**
 * Puts an address on a device (`169.254.169.254/32` on `lo`, a floating IP on the public interface).
 * @throws Fault `ProcessExecutionError` where there is no such device
 */
export async function ensureAddress(
  runner: Runner,
  device: string,
  cidr: string,
  scope?: 'link',
): Promise<void> {
  try {
    await ip(runner, 'addr', 'add', cidr, ...(scope === undefined ? [] : ['scope', scope]), 'dev', device);
  } catch (error) {
    const missing = /Cannot find device/.test(String((error as Fault).values?.stderr));
    if (missing || !alreadyThere(error)) throw error;
  }
}

export const removeAddress = (runner: Runner, device: string, cidr: string): Promise<void> =>
  tolerant(ip(runner, 'addr', 'del', cidr, 'dev', device));

/** The address that a device gave itself on its link; undefined while it has none. */
export async function linkLocalOf(runner: Runner, device: string): Promise<string | undefined> {
  const link = await linkInfo(runner, device);
  return link?.addr_info?.find(info => info.family === 'inet6' && info.scope === 'link')?.local;
}

/**
 * Turns on forwarding of IPv6. A kernel that forwards takes no routes from other routers any more, so one that has its way out from such
 * is told to go on. Gives whether it could.
 */
export async function forwardIpv6(runner: Runner): Promise<boolean> {
  const routes = await ipJson<RouteInfo & { protocol?: string }>(runner, '-6', 'route', 'show', 'default');
  for (const { dev, protocol } of routes)
    if (protocol === 'ra') await setSysctl(runner, `net.ipv6.conf.${dev}.accept_ra`, '2');
  return setSysctl(runner, 'net.ipv6.conf.all.forwarding', '1');
}

/** Removes a bridge; addresses other than `gateway` and routes go back to its `port` first. */
export async function removeBridge(
  runner: Runner,
  bridge: string,
  port: string | null,
  gateway: string | null,
): Promise<void> {
  if ((await linkInfo(runner, bridge)) === undefined) return;
  if (port !== null && port !== '' && (await linkInfo(runner, port))?.master === bridge) {
    const addresses = (await addressesOf(runner, bridge)).filter(address => address.local !== gateway);
    const routes = await gatewayRoutes(runner, bridge);
    await ip(runner, 'link', 'set', port, 'nomaster');
    await moveAddresses(runner, addresses, bridge, port);
    await putRoutes(runner, routes, port);
  }
  await tolerant(ip(runner, 'link', 'del', bridge));
}

/** Largest packet that a device carries whole. */
export const setMtu = async (runner: Runner, device: string, mtu: number): Promise<void> => {
  await ip(runner, 'link', 'set', device, 'mtu', String(mtu));
};

/** Sets a kernel setting of the network namespace; one that this kernel lacks is reported, not fatal. */
export async function setSysctl(runner: Runner, name: string, value: string): Promise<boolean> {
  const { code } = await runner(['sysctl', '-qw', `${name}=${value}`], {
    timeoutMs: HOST_COMMAND_MS,
    allowedCodes: 'any',
  });
  return code === 0;
}
