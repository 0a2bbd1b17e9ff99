import { existsSync } from 'node:fs';
import { run } from '@folsom/host';

/** A network of its own for a test: a namespace with loopback and a pair of interfaces, `eth0` inside. */
export interface NetworkNamespace {
  name: string;
  /** Words put before an argument list to run it inside. */
  enter: readonly string[];
  /** Runs a program inside. */
  exec(argv: readonly string[], options?: { timeoutMs?: number; input?: string }): ReturnType<typeof run>;
  /** Ends what runs inside and removes the namespace with its interfaces. */
  remove(): Promise<void>;
}

/** Whether this process may make network namespaces. */
export const canMakeNamespaces = (): boolean => process.getuid?.() === 0 && existsSync('/proc/self/ns/net');

const ip = (...argv: string[]) => run(['ip', ...argv], { timeoutMs: 10_000 });

/**
 * Makes a namespace called `name` (at most 9 characters) whose `eth0` has the addresses given (`172.16.200.6/24`).
 * The far end of `eth0` is left unconnected inside a second namespace, as a switch with nobody else on it.
 */
export async function networkNamespace(
  name: string,
  addresses: readonly string[],
): Promise<NetworkNamespace> {
  const far = `${name}-sw`;
  await removeNamespace(name);
  await removeNamespace(far);
  await ip('netns', 'add', name);
  await ip('netns', 'add', far);
  await ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'port0', 'netns', far);
  await ip('-n', far, 'link', 'set', 'port0', 'up');
  await ip('-n', name, 'link', 'set', 'lo', 'up');
  await ip('-n', name, 'link', 'set', 'eth0', 'up');
  for (const address of addresses) await ip('-n', name, 'addr', 'add', address, 'dev', 'eth0');
  const enter = ['ip', 'netns', 'exec', name];
  return {
    name,
    enter,
    exec: (argv, options = {}) =>
      run([...enter, ...argv], { timeoutMs: 30_000, allowedCodes: 'any', ...options }),
    remove: async () => {
      await removeNamespace(name);
      await removeNamespace(far);
    },
  };
}

async function removeNamespace(name: string): Promise<void> {
  if (!existsSync(`/run/netns/${name}`)) return;
  const { stdout } = await run(['ip', 'netns', 'pids', name], { timeoutMs: 5_000, allowedCodes: 'any' });
  for (const pid of stdout.split('\n').map(Number).filter(Boolean)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
  await run(['ip', 'netns', 'del', name], { timeoutMs: 10_000, allowedCodes: 'any' });
}
