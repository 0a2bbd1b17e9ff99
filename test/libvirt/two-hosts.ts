import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@folsom/host';
import { type RabbitServer, startRabbit } from '@folsom/testing';
import { type HostUnderTest, hostUnderTest } from './host-under-test.ts';

/** Two compute hosts on one wire, with one broker and one database. */
export interface TwoHosts {
  one: HostUnderTest;
  two: HostUnderTest;
  start(): Promise<void>;
  remove(): Promise<void>;
}

// Hosts know each other by address: libvirt and ssh find each other without name service.
export const ONE = '172.31.77.1';
export const TWO = '172.31.77.2';

/** @param shared whether both have one instances_path */
export async function twoHosts(
  name: string,
  extra: Record<string, string | boolean>,
  shared = false,
): Promise<TwoHosts> {
  let broker: RabbitServer | undefined;
  const rabbit = () => broker && { host: broker.host, port: broker.port };
  const one = await hostUnderTest(`${name}a`, { host: ONE, rabbit, shared });
  const two = await hostUnderTest(`${name}b`, { host: TWO, rabbit, state: one.dir, shared });
  await connect(`${name}a-sw`, `${name}b-sw`);
  for (const host of [one, two]) await replaceSsh(host, { [ONE]: one, [TWO]: two });
  broker = await startRabbit({ enter: one.space.enter, address: ONE });
  return {
    one,
    two,
    async start() {
      for (const host of [one, two]) await host.start({ extra });
    },
    async remove() {
      for (const host of [two, one]) await host.remove();
      await broker?.stop();
    },
  };
}

/** Makes one wire of the far ends of two hosts' cards. */
async function connect(here: string, there: string): Promise<void> {
  const ip = (...argv: string[]) => run(['ip', ...argv], { timeoutMs: 60_000 });
  await ip('-n', here, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', there);
  for (const space of [here, there]) {
    await ip('-n', space, 'link', 'add', 'sw', 'type', 'bridge', 'forward_delay', '0');
    for (const port of ['port0', 'wire']) {
      await ip('-n', space, 'link', 'set', port, 'master', 'sw');
      await ip('-n', space, 'link', 'set', port, 'up');
    }
    await ip('-n', space, 'link', 'set', 'sw', 'up');
  }
}

/** Between the hosts ssh simply runs the command in the other's namespaces; to guests it is the real one. */
async function replaceSsh(host: HostUnderTest, others: Record<string, HostUnderTest>): Promise<void> {
  const real = join(host.space.dir, 'real-ssh');
  const false_ = join(host.space.dir, 'ssh');
  copyFileSync('/usr/bin/ssh', real);
  const cases = Object.entries(others).map(
    ([address, other]) =>
      `    ${address}) while [ "$1" != ${address} ]; do shift; done; shift; exec ${other.space.enter.join(' ')} "$@" ;;`,
  );
  const lines = ['#!/bin/sh', 'for word; do', '  case $word in', ...cases, '  esac', 'done'];
  writeFileSync(false_, `${lines.join('\n')}\nexec ${real} "$@"\n`);
  chmodSync(real, 0o755);
  chmodSync(false_, 0o755);
  const bound = await host.space.exec(['mount', '--bind', false_, '/usr/bin/ssh']);
  if (bound.code !== 0) throw new Error(`cannot replace ssh: ${bound.stderr}`);
}
