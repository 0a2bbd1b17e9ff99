import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { iptables } from '@folsom/host/iptables';
import { hostRunner } from '@folsom/host/runner';
import { startNetwork } from '@folsom/network';
import { createLocalBus } from '@folsom/rpc';
import type { Print } from './commands.ts';
import { NO_FLOATING_RANGE } from './floating-range.ts';
import { guestsOf, virsh } from './guests.ts';
import { leaveHost, ownsHost } from './host-owner.ts';
import type { Layout } from './layout.ts';
import { portsWithOffset } from './layout.ts';
import { readServiceConf, writeServiceConfs } from './service-conf.ts';
import type { PurgeSettings } from './settings.ts';

/** Removes what a stopped cloud has left on this host: its guests, bridge, rules, DHCP server, and all of its files. */
export async function purge(
  layout: Layout,
  settings: PurgeSettings | undefined,
  print: Print,
): Promise<void> {
  if (settings?.driver === 'libvirt') {
    const guests = await removeGuests(layout);
    if (guests > 0) print(`removed ${guests} guest${guests === 1 ? '' : 's'}`);
    if (await ownsHost(layout, settings.namespace)) {
      await removeNetwork(layout, settings);
      await leaveHost(layout);
      print('removed the network of the guests');
    } else {
      print("left the host's network alone: it is another cloud's, or this one ran in another namespace");
    }
  }
  const others = await removeFiles(layout);
  print(
    others.length === 0
      ? `removed ${layout.dir}`
      : `removed the cloud's files; ${layout.dir} keeps what is not ours: ${others.join(', ')}`,
  );
}

/** Removes what a cloud writes and nothing else: somebody may have named a directory with files of his own. */
async function removeFiles(layout: Layout): Promise<string[]> {
  const ours = new Set(layout.entries.flatMap(name => [name, `${name}.new`]));
  const present = await readdir(layout.dir);
  for (const name of present.filter(name => ours.has(name)))
    await rm(join(layout.dir, name), { recursive: true, force: true });
  const others = present.filter(name => !ours.has(name));
  if (others.length === 0) await rmdir(layout.dir);
  return others;
}

/** Guests are ours when their disks lie in our state directory. */
async function removeGuests(layout: Layout): Promise<number> {
  const guests = await guestsOf(layout);
  for (const name of guests) for (const command of ['destroy', 'undefine']) await virsh(command, name);
  return guests.length;
}

/** The network service knows what it has put on the host: it is started for a moment to take that away. */
async function removeNetwork(layout: Layout, settings: PurgeSettings): Promise<void> {
  if (!existsSync(layout.db('nova'))) return;
  const world: World = { clock: systemClock, random: systemRandom, log: createLogger({ level: 'error' }) };
  const db = await openDatabase({ connection: `sqlite:///${layout.db('nova')}`, ...world });
  const bus = createLocalBus(world);
  try {
    await writeServiceConfs({
      layout,
      ports: portsWithOffset(settings.portsOffset),
      hostIp: settings.hostIp,
      compute: { driver: 'libvirt', why: '' },
      fixedRange: settings.fixedRange,
      floatingRange: settings.floatingRange ?? NO_FLOATING_RANGE,
      secrets: { adminToken: '' },
    });
    const config = readServiceConf(layout, 'nova');
    const network = await startNetwork({ config, db, bus, world });
    await network.removeNetworkFromHost();
    await network.stop();
    // The rules of guests are the compute service's.
    for (const family of [4, 6] as const)
      await iptables({ runner: hostRunner, binary: 'nova-compute', family }).removeAll();
  } finally {
    await bus.close();
    await db.close();
  }
}
