import { run } from '@folsom/host';
import type { HostNamespace } from './host-namespace.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { FIRST_PORT, freePort } from './places.ts';

/** A host on a network with others. */
export interface LinkedHost<Space extends NetworkNamespace | HostNamespace> {
  space: Space;
  address: string;
  /** Nothing reaches the host any more, and nothing leaves it. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Hosts on one network with this process, each in a namespace of its own, whose line can be pulled out. */
export interface LinkedHosts<Space extends NetworkNamespace | HostNamespace = NetworkNamespace> {
  /** Where this process is reached by them. */
  address: string;
  hosts: readonly LinkedHost<Space>[];
  remove(): Promise<void>;
}

/** Addresses of one network: one for this process, those of its hosts, its own and the broadcast. */
const NETWORK_SIZE = 8;
const HOSTS_MAX = NETWORK_SIZE - 3;

const ip = (...argv: string[]) => run(['ip', ...argv], { timeoutMs: 10_000 });

/**
 * Makes them; needs the rights for it (`canMakeNamespaces`). Several processes of a machine may do so at once.
 *
 * @param make one host's namespace; `hostNamespace` for hosts with a libvirtd each
 */
export async function linkedHosts<Space extends NetworkNamespace | HostNamespace>(
  count: number,
  make: (name: string, addresses: readonly string[]) => Promise<Space>,
): Promise<LinkedHosts<Space>> {
  if (count > HOSTS_MAX) throw new Error(`at most ${HOSTS_MAX} hosts`);
  // The port is reserved for us: so are the names and the network that have its number.
  const serial = (await freePort()) - FIRST_PORT;
  const base = serial * NETWORK_SIZE;
  const address = (host: number) => `10.99.${base >> 8}.${(base & 255) + 2 + host}`;
  const bridge = `ft${serial}`;
  const spaces: Space[] = [];
  const removeBridge = () => run(['ip', 'link', 'del', bridge], { timeoutMs: 10_000, allowedCodes: 'any' });
  const remove = async () => {
    for (const space of spaces.splice(0)) await space.remove();
    await removeBridge();
  };
  // Of a process that had the number before us and was killed.
  await removeBridge();
  try {
    await ip('link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0');
    await ip('addr', 'add', `${address(-1)}/29`, 'dev', bridge);
    await ip('link', 'set', bridge, 'up');
    for (let at = 0; at < count; at++) {
      const name = `${bridge}n${at}`;
      spaces.push(await make(name, [`${address(at)}/29`]));
      // The far end of its card comes to us.
      const far = ['-n', `${name}-sw`, 'link', 'set', 'port0'];
      await ip(...far, 'down');
      await ip(...far, 'name', `${name}v`, 'netns', `${process.pid}`);
      await ip('link', 'set', `${name}v`, 'master', bridge, 'up');
    }
  } catch (error) {
    await remove();
    throw error;
  }
  const link = (at: number, state: 'up' | 'down') => async () =>
    void (await ip('link', 'set', `${bridge}n${at}v`, state));
  return {
    address: address(-1),
    hosts: spaces.map((space, at) => ({
      ...{ space, address: address(at) },
      ...{ cut: link(at, 'down'), mend: link(at, 'up') },
    })),
    remove,
  };
}
