import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFault, systemRandom } from '@folsom/core';
import { type RunOptions, type RunResult, run } from '@folsom/host';
import { LIBVIRTD_IN_NAMESPACES, QEMU_IN_NAMESPACES } from '@folsom/host/libvirtd';
import { type NetworkNamespace, networkNamespace } from './network-namespace.ts';

/** A whole host for a test: a network namespace and private folders for libvirt, so that it can have its own libvirtd. */
export interface HostNamespace {
  name: string;
  network: NetworkNamespace;
  /** Private state below a temporary folder. */
  dir: string;
  /** Words put before an argument list to run it on this host. */
  enter: readonly string[];
  /** Runs a program on this host to its end. Any exit code is accepted. */
  exec(argv: readonly string[], options?: Partial<RunOptions>): Promise<RunResult>;
  /** Starts virtlogd and libvirtd as a host's init would; with `tcp`, others may send guests here. */
  startLibvirtd(options?: { tcp?: boolean }): Promise<void>;
  /** Kills libvirtd (guests stay). */
  killLibvirtd(signal?: NodeJS.Signals): Promise<void>;
  /** Ends everything inside and removes it. */
  remove(): Promise<void>;
}

// What libvirt keeps state in; each becomes a private folder of the host.
const PRIVATE: Record<string, string> = {
  '/run/libvirt': 'run',
  '/var/lib/libvirt': 'lib',
  '/etc/libvirt': 'etc',
  '/var/log/libvirt': 'log',
  '/var/cache/libvirt': 'cache',
};

/** Where the host's own libvirtd answers, as seen inside. */
const SYSTEM = 'qemu:///system';

/** What libvirtd finds out about qemu, which takes it many seconds each time; it checks whether that is still true. */
const KNOWN_OF_QEMU = '/var/cache/folsom/libvirt-capabilities';
/** Where a host keeps that, below its folder. */
const CAPABILITIES = 'cache/qemu/capabilities';

/** How long a libvirtd may take to answer. A busy machine is no failure. */
const ANSWER_MS = 300_000;
/** One question; one that ends while it starts leaves whoever asks it waiting. */
const ASK_MS = 20_000;

/** Makes a host called `name` (at most 9 characters) whose `eth0` has the addresses given. */
export async function hostNamespace(name: string, addresses: readonly string[]): Promise<HostNamespace> {
  const network = await networkNamespace(name, addresses);
  const dir = await mkdtemp(join(tmpdir(), `${name}-`));
  for (const folder of Object.values(PRIVATE)) await mkdir(join(dir, folder), { recursive: true });
  if (existsSync('/etc/libvirt')) {
    await cp('/etc/libvirt', join(dir, 'etc'), { recursive: true });
    await rm(join(dir, 'etc', 'qemu', 'networks', 'autostart'), { recursive: true, force: true });
  }
  await writeFile(join(dir, 'etc', 'qemu.conf'), QEMU_IN_NAMESPACES);
  // Hosts are told apart by this.
  const uuid = `host_uuid = "${systemRandom.uuid()}"\n`;
  await writeFile(join(dir, 'etc', 'libvirtd.conf'), LIBVIRTD_IN_NAMESPACES + uuid);
  for (const folder of ['lib/qemu', 'lib/images', CAPABILITIES])
    await mkdir(join(dir, folder), { recursive: true });
  await takeFiles(KNOWN_OF_QEMU, join(dir, CAPABILITIES));

  // A sleeping process holds the mount namespace; later programs join it.
  const holder = spawn(
    'ip',
    ['netns', 'exec', name, 'unshare', '--mount', '--propagation', 'private', 'sleep', 'infinity'],
    { stdio: 'ignore', detached: true },
  );
  holder.unref();
  const pid = await holderPid(holder.pid ?? 0);
  // Not by the name of the network namespace, which other hosts' mount namespaces may not know.
  const enter = ['nsenter', `--mount=/proc/${pid}/ns/mnt`, `--net=/proc/${pid}/ns/net`, '--'];
  const exec: HostNamespace['exec'] = (argv, options = {}) =>
    run([...enter, ...argv], { timeoutMs: 30_000, allowedCodes: 'any', ...options });
  for (const [path, folder] of Object.entries(PRIVATE)) {
    await mkdir(path, { recursive: true });
    const bound = await exec(['mount', '--bind', join(dir, folder), path]);
    if (bound.code !== 0) throw new Error(`cannot bind ${path}: ${bound.stderr}`);
  }

  const libvirtdPid = async () =>
    Number((await readFile(join(dir, 'libvirtd.pid'), 'utf8').catch(() => '0')).trim());
  return {
    name,
    network,
    dir,
    enter,
    exec,
    startLibvirtd: async ({ tcp = false } = {}) => {
      if (!existsSync(join(dir, 'virtlogd.pid'))) {
        await exec(['virtlogd', '-d', '-p', join(dir, 'virtlogd.pid')], { allowedCodes: [0] });
      }
      const listen = tcp ? ['--listen'] : [];
      const daemon = () =>
        exec(['libvirtd', '-d', ...listen, '-p', join(dir, 'libvirtd.pid')], { allowedCodes: 'any' });
      await daemon();
      // A socket file may be a dead one's: only an answer counts.
      const deadline = performance.now() + ANSWER_MS;
      const answers = () =>
        exec(['virsh', '-q', '-c', SYSTEM, 'version'], { timeoutMs: ASK_MS }).then(
          ({ code }) => code === 0,
          error => {
            if (isFault(error, 'ProcessExecutionError')) return false;
            throw error;
          },
        );
      while (!(await answers())) {
        if (performance.now() > deadline) {
          const log = await readFile(join(dir, 'log', 'libvirtd.log'), 'utf8').catch(() => '');
          throw new Error(`libvirtd does not answer: ${log.slice(-2_000)}`);
        }
        await new Promise(resolve => setTimeout(resolve, 50));
        // It ends when a rule of the guests it finds cannot be set in that moment; its unit starts it again.
        if (!isAlive(await libvirtdPid())) await daemon();
      }
    },
    killLibvirtd: async (signal = 'SIGKILL') => {
      const target = await libvirtdPid();
      if (target > 0) process.kill(target, signal);
      // The next one cannot have its locks before the old one is gone, and ends if it cannot.
      const deadline = performance.now() + 60_000;
      while (target > 0 && isAlive(target)) {
        if (performance.now() > deadline) throw new Error('libvirtd does not end');
        await new Promise(resolve => setTimeout(resolve, 10));
      }
      await rm(join(dir, 'libvirtd.pid'), { force: true });
    },
    remove: async () => {
      const { stdout } = await run(['ip', 'netns', 'pids', name], { timeoutMs: 5_000, allowedCodes: 'any' });
      for (const inside of stdout.split('\n').map(Number).filter(Boolean)) kill(inside);
      await network.remove();
      kill(pid);
      kill(holder.pid ?? 0);
      await takeFiles(join(dir, CAPABILITIES), KNOWN_OF_QEMU);
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** Copies the files of a folder that may not be there; nobody sees one that is not whole. */
async function takeFiles(from: string, to: string): Promise<void> {
  const names = await readdir(from).catch(() => []);
  await mkdir(to, { recursive: true });
  for (const name of names.filter(file => file.endsWith('.xml'))) {
    const aside = join(to, `${name}.${systemRandom.hex(8)}`);
    await cp(join(from, name), aside);
    await rename(aside, join(to, name));
  }
}

/** `ip netns exec` and `unshare` replace themselves, so the holder is the child itself once it sleeps. */
async function holderPid(pid: number): Promise<number> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (name.trim() === 'sleep') return pid;
    const children = await readdir(`/proc/${pid}/task`).catch(() => []);
    if (children.length === 0 || performance.now() > deadline)
      throw new Error('cannot make a mount namespace');
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

function isAlive(pid: number): boolean {
  // 0 is the whole group of whoever asks, and always there.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  if (pid <= 1) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
