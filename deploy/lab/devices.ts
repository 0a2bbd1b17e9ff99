import { cpSync, mkdirSync } from 'node:fs';
import { must } from '@folsom/core';
import { DEVICES_DIR, SWIFT_DIR } from './conf.ts';
import { DEVICES, SERVICES, type ServiceName } from './plan.ts';
import { HOST_SHELL_ENV, type Lab, programWords, spaceOf } from './processes.ts';
import { inside, runOn, type Space } from './spaces.ts';

const DEVICE_BYTES = 2 * 1024 ** 3;
const RINGS = {
  account: 'swift-account-server',
  container: 'swift-container-server',
  object: 'swift-object-server',
} as const;
/** 2 to this many partitions. */
const PART_POWER = '10';
const REPLICAS = '3';

/** Mounts swift's devices on a host, each a file system of its own where one can be made. */
export async function makeDevices(
  space: Space,
  maker: readonly string[] | undefined,
): Promise<'file systems' | 'folders'> {
  for (const device of DEVICES) {
    const at = `${DEVICES_DIR}/${device}`;
    mkdirSync(inside(space, at), { recursive: true });
    if (maker === undefined) continue;
    const image = `/run/lab/${device}.img`;
    await runOn(space, ['truncate', '-s', `${DEVICE_BYTES}`, image]);
    await runOn(space, [...maker, '-i', 'size=1024', image]);
    await runOn(space, ['mount', '-o', 'loop,noatime', image, at]);
  }
  return maker === undefined ? 'folders' : 'file systems';
}

/** Makes the rings on the host that has the devices, with swift's own program, and gives them to every host. */
export async function makeRings(lab: Lab): Promise<void> {
  const storage = must(
    lab.plan.plan.find(({ services }) => services.includes(RINGS.object)),
    'a host has the devices',
  );
  const space = spaceOf(lab, storage.name);
  for (const [ring, server] of Object.entries(RINGS)) {
    const build = (...args: string[]) =>
      runOn(space, programWords('swift-ring-builder', [`${SWIFT_DIR}/${ring}.builder`, ...args]), {
        env: HOST_SHELL_ENV,
        timeoutMs: 120_000,
        // 1: nothing to warn of but balance.
        allowedCodes: [0, 1],
      });
    await build('create', PART_POWER, REPLICAS, '1');
    for (const [at, device] of DEVICES.entries())
      await build('add', `z${at + 1}-${storage.address}:${portOf(server)}/${device}`, '100');
    await build('rebalance');
    for (const host of lab.plan.plan.filter(({ name }) => name !== storage.name))
      cpSync(
        inside(space, `${SWIFT_DIR}/${ring}.ring.gz`),
        inside(spaceOf(lab, host.name), `${SWIFT_DIR}/${ring}.ring.gz`),
      );
  }
}

function portOf(server: ServiceName): number {
  const { ready } = SERVICES[server];
  return ready === 'log' ? 0 : ready.port;
}
