import { run } from '@folsom/host';
import { namespaceRunner, type Runner } from '@folsom/host/runner';

/** Hosts as network namespaces on one switch that carries VLANs; and guests on their bridges. */
export interface Switch {
  /** Commands on a host of that name, made with its card `eth1` on the switch. */
  host(name: string): Promise<Runner>;
  /** A guest: a namespace whose card `eth0`, with this MAC address, is on a bridge of the host. */
  guest(host: string, bridge: string, mac: string): Promise<Runner>;
  remove(): Promise<void>;
}

const ip = (...words: string[]) => run(['ip', ...words], { timeoutMs: 10_000 });
const quietly = (...words: string[]) => run(['ip', ...words], { timeoutMs: 10_000, allowedCodes: 'any' });

/** Makes one. Names begin with the prefix, of at most 5 characters. */
export async function trunkSwitch(prefix: string): Promise<Switch> {
  const spaces: string[] = [];
  const namespace = async (name: string): Promise<string> => {
    const full = `${prefix}${name}`;
    await quietly('netns', 'del', full);
    await ip('netns', 'add', full);
    spaces.push(full);
    await ip('-n', full, 'link', 'set', 'lo', 'up');
    return full;
  };
  const trunk = await namespace('sw');
  const bridge = async (name: string): Promise<string> => {
    const made = await quietly('-n', trunk, 'link', 'add', name, 'type', 'bridge', 'forward_delay', '0');
    if (made.code === 0) await ip('-n', trunk, 'link', 'set', name, 'up');
    return name;
  };
  /** Another port of the switch, as a card of a host. */
  let ports = 0;
  const plug = async (host: string, card: string, into: string): Promise<void> => {
    const port = `p${ports++}`;
    await ip('-n', host, 'link', 'add', card, 'type', 'veth', 'peer', 'name', port, 'netns', trunk);
    await ip('-n', trunk, 'link', 'set', port, 'master', await bridge(into), 'up');
  };
  const probe = await quietly(
    '-n',
    trunk,
    'link',
    'add',
    'link',
    'lo',
    'name',
    'x',
    'type',
    'vlan',
    'id',
    '7',
  );
  const tags = probe.code === 0;
  if (tags) await ip('-n', trunk, 'link', 'del', 'x');
  return {
    async host(name) {
      const full = await namespace(name);
      await plug(full, 'eth1', 'trunk');
      await ip('-n', full, 'link', 'set', 'eth1', 'up');
      const inside = namespaceRunner(full);
      if (tags) return inside;
      // A kernel without 8021q: what a tagged frame would reach is a line of its own.
      const call = async (argv: readonly string[], options: Parameters<Runner>[1]) => {
        const [, device, id] =
          /^ip link add link eth1 name (\S+) type vlan id (\d+)$/.exec(argv.join(' ')) ?? [];
        if (device === undefined) return inside(argv, options);
        await plug(full, device, `v${id}`);
        return { stdout: '', stderr: '', code: 0 } as Awaited<ReturnType<Runner>>;
      };
      return Object.assign(call, { prefix: inside.prefix });
    },
    async guest(host, bridgeName, mac) {
      const full = await namespace(`g${spaces.length}`);
      const tap = `tap${spaces.length}`;
      const card = ['eth0', 'address', mac, 'type', 'veth', 'peer', 'name', tap];
      await ip('-n', full, 'link', 'add', ...card, 'netns', `${prefix}${host}`);
      await ip('-n', `${prefix}${host}`, 'link', 'set', tap, 'master', bridgeName, 'up');
      await ip('-n', full, 'link', 'set', 'eth0', 'up');
      return namespaceRunner(full);
    },
    async remove() {
      for (const space of spaces.splice(0)) await quietly('netns', 'del', space);
    },
  };
}
