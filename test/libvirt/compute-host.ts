/**
 * One compute host for tests, as a process of its own so that it can be killed: network, compute on libvirt and
 * metadata over an in-process bus and a SQLite file. Reads JSON commands from standard input, one a line, and answers
 * on standard output. Run: `node compute-host.ts '{"dir": ..., "uri": ..., "guest": ..., "myIp": ..., "dieAt": ...}'`.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { libvirtDriver, startCompute } from '@folsom/compute-agent';
import { settingsOf } from '@folsom/compute-agent/testing';
import { configFrom } from '@folsom/config';
import { createLogger, requestContext, systemClock, systemRandom } from '@folsom/core';
import { dbSync, openDatabase } from '@folsom/db';
import { startMetadata } from '@folsom/metadata';
import { startNetwork } from '@folsom/network';
import { novaFaultStatus } from '@folsom/nova/faults';
import { novaOptions } from '@folsom/nova/options';
import { computeContract } from '@folsom/nova/rpc/compute';
import { networkContract } from '@folsom/nova/rpc/network';
import { createLocalBus, createRabbitBus } from '@folsom/rpc';
import { rabbitOptions } from '@folsom/testing';
import { memoryImages, volumeStand } from '../faults/compute-cloud.ts';

interface Options {
  dir: string;
  uri: string;
  guest: string;
  myIp: string;
  /** Its name, where it is not the only one. */
  host?: string;
  /** A broker that it shares with other hosts. */
  rabbit?: { host: string; port: number };
  extra?: Record<string, string | number | boolean>;
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const host = options.host ?? 'node1';
/** Steps (`operation:step`) before each of which the first instance that comes stops for ever. */
const places = new Set<string>();
/** The step before which work stops until it is released. */
let hold: string | undefined;
let release = () => {};
const world = {
  clock: systemClock,
  random: systemRandom,
  log: createLogger({
    level: 'debug',
    write: line => appendFileSync(join(options.dir, `${host}.log`), line),
  }),
};
const config = configFrom([novaOptions], {
  DEFAULT: {
    host,
    my_ip: options.myIp,
    state_path: options.dir,
    networks_path: join(options.dir, 'networks'),
    instances_path: join(options.dir, 'instances'),
    fixed_range: '10.77.0.0/24',
    network_manager: 'nova.network.manager.FlatDHCPManager',
    flat_network_bridge: 'br100',
    libvirt_uri: options.uri,
    report_interval: 0,
    periodic_interval: 2,
    metadata_host: options.myIp,
    libvirt_inject_key: false,
    libvirt_use_virtio_for_bridges: true,
    ...options.extra,
  },
});
const db = await openDatabase({ connection: `sqlite:///${join(options.dir, 'nova.sqlite')}` });
await dbSync(db, 'nova');
const bus = options.rabbit
  ? createRabbitBus({
      options: { ...rabbitOptions(options.rabbit.port), rabbit_host: options.rabbit.host },
      world,
      faultStatus: novaFaultStatus,
    })
  : createLocalBus(world);
const images = memoryImages();
const file = (name: string) => readFileSync(join(options.guest, name));
images.add({ id: 'ami', disk_format: 'ami', container_format: 'ami' }, file('rootfs.ext4'));
images.add({ id: 'aki', disk_format: 'aki', container_format: 'aki' }, file('vmlinuz'));
images.add({ id: 'ari', disk_format: 'ari', container_format: 'ari' }, file('initrd'));
images.add({ id: 'disk', disk_format: 'qcow2' }, file('disk.qcow2'));
// A machine that finds nothing to boot from stands still, and costs nobody's time.
images.add({ id: 'blank', disk_format: 'raw' }, Buffer.alloc(1024 ** 2));

const network = await startNetwork({ config, db, bus, world });
const volumes = await volumeStand(bus, db, host);
const metadata = await startMetadata({ config, db, world });
const driver = libvirtDriver({ settings: settingsOf(config), db, images, world });
const compute = await startCompute({
  config,
  db,
  bus,
  world,
  driver,
  images,
  busForgets: options.rabbit === undefined,
  observe: async (operation, step, uuid) => {
    const at = `${operation}:${step}`;
    if (places.delete(at)) {
      answer({ held: at, uuid });
      await new Promise<void>(() => {});
    }
    if (hold !== at) return;
    answer({ held: at });
    await new Promise<void>(resolve => {
      release = resolve;
    });
  },
});
const context = requestContext({ projectId: 'p'.repeat(32), userId: 'u' });
const clients: Record<string, Record<string, (...values: unknown[]) => Promise<unknown>>> = {
  compute: computeContract.client(bus) as never,
  network: networkContract.client(bus) as never,
};
const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const commands: Record<
  string,
  (command: { args?: unknown; method?: string; contract?: string; host?: string }) => Promise<unknown>
> = {
  rpc: command =>
    clients[command.contract!]![command.method!]!({ ...context, isAdmin: true }, command.args, {
      host: command.host ?? host,
    }),
  holdEach: async command => {
    for (const at of command.args as string[]) places.add(at);
  },
  hold: async command => {
    hold = command.args as string;
  },
  release: async () => {
    hold = undefined;
    release();
  },
  tick: () => compute.tick(),
  image: async command => {
    const stored = images.stored.get(String(command.args));
    return stored && { ...stored.image, head: stored.data.subarray(0, 4).toString('latin1') };
  },
  addImage: async command => {
    const { data = '', ...image } = command.args as { id: string; data?: string };
    images.add(image, Buffer.from(data, 'base64'));
  },
  unplug: async () => {
    await driver.removeFromHost();
    await network.removeNetworkFromHost();
  },
  stop: async () => {
    await compute.stop();
    await volumes.stop();
    await metadata.stop();
    await network.stop();
    await db.close();
    setImmediate(() => process.exit(0));
  },
};
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as { id: number; do: string };
  void commands[command.do]!(command as never).then(
    result => answer({ id: command.id, result: result ?? null }),
    error => answer({ id: command.id, error: `${error.name}: ${error.message}` }),
  );
}
