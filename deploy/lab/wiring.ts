import { mkdirSync, writeFileSync } from 'node:fs';
import { must } from '@folsom/core';
import { run } from '@folsom/host/run';
import type { HostPlan } from './plan.ts';
import { SWITCH_ADDRESS } from './plan.ts';
import { enter, enterNetwork, inside, runOn, type Space } from './spaces.ts';

/** The wires of a lab: `lan` with the hosts' addresses, `guests` for those of guests. All of it lies in the switch. */
const LAN = 'lan';
const GUESTS = 'guests';
const STEP = { timeoutMs: 20_000 };

const ip = (space: Space, ...argv: string[]) => run([...enterNetwork(space), 'ip', ...argv], STEP);

/** The ports of a host at the switch: eth0's and eth1's. */
const ports = (host: string) => ({ lan: host, guests: `${host}-g` });

export async function wireSwitch(center: Space): Promise<void> {
  for (const bridge of [LAN, GUESTS]) {
    await ip(center, 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0');
    await ip(center, 'link', 'set', bridge, 'up');
  }
  await ip(center, 'link', 'set', 'lo', 'up');
  await ip(center, 'addr', 'add', `${SWITCH_ADDRESS}/24`, 'dev', LAN);
}

/** Gives a host its cards: eth0 with its address, eth1 for the bridge of the guests. */
export async function wireHost(center: Space, space: Space, host: HostPlan): Promise<void> {
  const cards = { eth0: [ports(host.name).lan, LAN], eth1: [ports(host.name).guests, GUESTS] } as const;
  for (const [card, [port, bridge]] of Object.entries(cards)) {
    const peer = ['peer', 'name', port, 'netns', `${center.pid}`];
    await ip(space, 'link', 'add', card, 'type', 'veth', ...peer);
    await ip(space, 'link', 'set', card, 'up');
    await ip(center, 'link', 'set', port, 'master', bridge, 'up');
  }
  await ip(space, 'link', 'set', 'lo', 'up');
  await ip(space, 'addr', 'add', `${host.address}/24`, 'dev', 'eth0');
  await run([...enterNetwork(space), 'sysctl', '-qw', 'net.ipv4.ip_forward=1'], {
    ...STEP,
    allowedCodes: 'any',
  });
}

/** Pulls a host's cards out of the switch, or puts them back. */
export async function plug(center: Space, host: string, state: 'up' | 'down'): Promise<void> {
  for (const port of Object.values(ports(host))) await ip(center, 'link', 'set', port, state);
}

/** Whether a host's card is in the switch. */
export async function isPlugged(center: Space, host: string): Promise<boolean> {
  const { stdout } = await ip(center, '-json', 'link', 'show', ports(host).lan);
  const [shown] = JSON.parse(stdout) as { flags: string[] }[];
  return must(shown, 'the port is there').flags.includes('UP');
}

/** Its name, and those of the others. */
export async function nameHost(space: Space, hosts: readonly HostPlan[]): Promise<void> {
  await runOn(space, ['hostname', space.host]);
  const names = hosts.map(({ name, address }) => `${address} ${name}\n`).join('');
  writeFileSync(inside(space, '/etc/hosts'), `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${names}`);
  writeFileSync(inside(space, '/etc/hostname'), `${space.host}\n`);
}

/** Folders of this machine of which a host has its own view: it sees them, and what it writes there is its own. */
const OVERLAID = ['/etc', '/var/lib', '/var/log', '/var/cache', '/srv'];
/** Where a host's own file system is, and how large it may grow at most; a sparse file holds it. */
const OWN = '/run/lab';
const DISK_BYTES_DEFAULT = 16 * 1024 ** 3;

export interface Disks {
  /** Of the host's state, in bytes; a fault fills it. */
  bytes?: number;
  /** Where each of these paths goes to the host's disk. */
  paths: readonly string[];
}

/**
 * Mounts what a host has of its own. With `makeFileSystem` its state lies on a disk of its own that can be full; else in a
 * folder of this machine.
 */
export async function mountHost(
  space: Space,
  files: { dir: string; disk: string },
  disks: Disks & { makeFileSystem: readonly string[] | undefined },
): Promise<void> {
  mkdirSync(`${files.dir}/disk`, { recursive: true });
  const mount = (...argv: string[]) => runOn(space, ['mount', ...argv]);
  await mount('-t', 'tmpfs', '-o', 'mode=755', 'folsom-lab', '/run');
  mkdirSync(inside(space, OWN));
  // Before anything is laid over its parents.
  await mount('--bind', files.dir, OWN);
  if (disks.makeFileSystem) {
    await run(['truncate', '-s', `${disks.bytes ?? DISK_BYTES_DEFAULT}`, files.disk], STEP);
    await run([...disks.makeFileSystem, files.disk], { timeoutMs: 120_000 });
    await mount('-o', 'loop,noatime', `${OWN}/disk.img`, `${OWN}/disk`);
  }
  for (const path of OVERLAID) {
    const name = path.slice(1).replaceAll('/', '-');
    for (const folder of ['upper', 'work'])
      mkdirSync(inside(space, `/run/overlay/${name}/${folder}`), { recursive: true });
    const folders = `lowerdir=${path},upperdir=/run/overlay/${name}/upper,workdir=/run/overlay/${name}/work`;
    await mount('-t', 'overlay', '-o', folders, `folsom-lab-${name}`, path);
  }
  for (const path of disks.paths) {
    const own = `${OWN}/disk${path}`;
    for (const folder of [own, path]) mkdirSync(inside(space, folder), { recursive: true });
    await mount('--bind', own, path);
  }
  await mount('-t', 'sysfs', 'sysfs', '/sys');
}

/** What makes a file system in a file, where the kernel can mount one of the kind. */
export async function fileSystemMaker(center: Space, dir: string): Promise<readonly string[] | undefined> {
  const probe = `${dir}/probe.img`;
  for (const maker of [
    ['mkfs.xfs', '-q', '-f'],
    ['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=1'],
  ]) {
    await run(['truncate', '-s', `${400 * 1024 ** 2}`, probe], STEP);
    const made = await run([...maker, probe], { ...STEP, allowedCodes: 'any' }).catch(() => undefined);
    const mounted =
      made?.code === 0 &&
      (await run([...enter(center), 'mount', '-o', 'loop', probe, '/mnt'], { ...STEP, allowedCodes: 'any' }))
        .code === 0;
    if (mounted) await runOn(center, ['umount', '/mnt']);
    await run(['rm', '-f', probe], STEP);
    if (mounted) return maker;
  }
  return undefined;
}
