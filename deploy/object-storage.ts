import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenValidator } from '@folsom/auth';
import type { RunningService, World } from '@folsom/core';
import type { Cache } from '@folsom/memcache';
import { startAccountServer } from '@folsom/object-account';
import { startContainerServer } from '@folsom/object-container';
import { startProxy } from '@folsom/object-proxy';
import { objectServerOptions, startObjectServer } from '@folsom/object-server';
import { addDevice, decodeRing, encodeRing, newBuilder, openRing, rebalance, ringDataOf } from '@folsom/ring';
import {
  confSection,
  hashPathSuffix,
  healthcheckFilter,
  pathHash,
  readConf,
  reconFilter,
  reconMetrics,
  type SwiftConf,
} from '@folsom/swift';
import { localServers } from '@folsom/swift-http';

import { openObjectConf, readObjectConf } from './object-conf.ts';
import { startObjectDaemons } from './object-daemons.ts';

export interface ObjectStorageOptions {
  /** Everything is kept below: `etc` (rings, swift.conf), `node` (the devices), `cache`. */
  stateDir: string;
  /** How many devices, each a plain directory and a zone of its own. Counts at the first start. */
  devices: number;
  replicas: number;
  /** Where the proxy listens; the storage servers behind it never leave loopback. */
  host: string;
  ports: { proxy: number; account: number; container: number; object: number };
  validator: TokenValidator | null;
  world: World;
  /** Where the operator's conf files lie, made at the first start. Default: those are read that lie in `etc`. */
  confDir?: string;
  /** Text of a proxy-server.conf instead of the operator's, and of the built-in one. */
  proxyConf?: string;
  cache?: Cache;
  /** Whether updaters, auditors and the other daemons run as well. Default: yes. */
  daemons?: boolean;
}

export interface ObjectStorage extends RunningService {
  /** Where the devices lie and rings can be found, for daemons and further proxies. */
  swiftDir: string;
  devicesDir: string;
}

/** Storage servers ask nobody who he is: in one process with their proxy, only this machine may reach them. */
const STORAGE_HOST = '127.0.0.1';

const PART_POWER = 10;
const MIN_PART_HOURS = 1;
const KINDS = ['account', 'container', 'object'] as const;

/** How long a deleted account is kept whole, so that its reseller can take the deletion back. */
const DELAY_REAPING_SECONDS = 7 * 86_400;

function writeOnce(path: string, content: () => string | Uint8Array): void {
  if (existsSync(path)) return;
  writeFileSync(`${path}.new`, content(), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Makes swift.conf and the rings at the first start; later starts keep what is there. */
function prepare(options: ObjectStorageOptions, swiftDir: string, devicesDir: string): SwiftConf {
  const { world } = options;
  mkdirSync(swiftDir, { recursive: true });
  writeOnce(
    join(swiftDir, 'swift.conf'),
    () => `[swift-hash]\nswift_hash_path_suffix = ${world.random.hex(32)}\n`,
  );
  const names = Array.from({ length: options.devices }, (_, index) => `d${index + 1}`);
  for (const kind of KINDS) {
    const path = join(swiftDir, `${kind}.ring.gz`);
    writeOnce(path, () => {
      const builder = newBuilder(PART_POWER, options.replicas, MIN_PART_HOURS);
      names.forEach((device, id) => {
        addDevice(builder, {
          id,
          zone: id + 1,
          ip: STORAGE_HOST,
          port: options.ports[kind],
          device,
          weight: 100,
          meta: '',
        });
      });
      rebalance(builder, { nowSeconds: Math.floor(world.clock.now() / 1000), random: world.random });
      return encodeRing(ringDataOf(builder));
    });
    readdress(path, STORAGE_HOST, options.ports[kind]);
    for (const device of decodeRing(readFileSync(path)).devices) {
      if (device) mkdirSync(join(devicesDir, device.device), { recursive: true });
    }
  }
  return readConf(join(swiftDir, 'swift.conf'));
}

/** The same devices under another address: the state directory was started with other ports this time. */
function readdress(path: string, ip: string, port: number): void {
  const ring = decodeRing(readFileSync(path));
  if (ring.devices.every(device => device === null || (device.ip === ip && device.port === port))) return;
  const devices = ring.devices.map(device => (device === null ? null : { ...device, ip, port }));
  writeFileSync(`${path}.new`, encodeRing({ ...ring, devices }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What is known of a store before its servers start. */
function planOf(options: ObjectStorageOptions) {
  const { world, stateDir } = options;
  const swiftDir = join(stateDir, 'etc');
  const devicesDir = join(stateDir, 'node');
  const hash = pathHash(hashPathSuffix(prepare(options, swiftDir, devicesDir)));
  const conf =
    options.confDir === undefined
      ? readObjectConf(swiftDir, options.proxyConf)
      : openObjectConf(options.confDir, swiftDir);
  const accountConf = confSection(conf.section('account-server.conf', 'account-reaper'));
  const containerConf = confSection(conf.section('container-server.conf', 'app:container-server'));
  const recon = { devices: devicesDir, swiftDir, cachePath: join(stateDir, 'cache'), mountCheck: false };
  return {
    swiftDir,
    devicesDir,
    hash,
    conf,
    delayReaping: accountConf.int('delay_reaping', DELAY_REAPING_SECONDS),
    syncHosts: containerConf.list('allowed_sync_hosts', []),
    recon,
    filters: [healthcheckFilter, reconFilter(recon)],
    local: localServers(),
    world,
  };
}

type Plan = ReturnType<typeof planOf>;

/** Starts a whole object store in this process: account, container and object servers, and the proxy before them. */
export async function startObjectStorage(options: ObjectStorageOptions): Promise<ObjectStorage> {
  const { world, host, ports, stateDir } = options;
  const plan = planOf(options);
  const { swiftDir, devicesDir, hash, conf, delayReaping, syncHosts, local } = plan;
  const untold = reconMetrics(world, plan.recon);
  const started: RunningService[] = [];
  const stop = async (): Promise<void> => {
    untold();
    for (const service of started.reverse()) await service.stop();
  };
  try {
    await startStorageServers(plan, ports, started);
    const rings = Object.fromEntries(
      KINDS.map(kind => [kind, openRing({ path: join(swiftDir, `${kind}.ring.gz`), clock: world.clock })]),
    ) as Record<(typeof KINDS)[number], ReturnType<typeof openRing>>;
    const proxy = await startProxy({
      conf: conf.proxy,
      rings,
      pathHash: hash,
      world,
      host,
      port: ports.proxy,
      swiftDir,
      validator: options.validator,
      local,
      ...(options.cache ? { cache: options.cache } : {}),
    });
    started.push(proxy);
    if (options.daemons ?? true) {
      started.push(
        startObjectDaemons({
          devicesDir,
          swiftDir,
          reconDir: join(stateDir, 'cache'),
          ports,
          syncHosts,
          delayReaping,
          conf,
          replicas: rings.object.replicaCount,
          rings,
          pathHash: hash,
          local,
          world,
        }),
      );
    }
    return { name: 'object-storage', addresses: proxy.addresses, swiftDir, devicesDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Account, container and object server; what is up when one cannot start stands in `started`. */
async function startStorageServers(
  { devicesDir, hash, conf, delayReaping, syncHosts, filters, local, world }: Plan,
  ports: ObjectStorageOptions['ports'],
  started: RunningService[],
): Promise<void> {
  const database = {
    root: devicesDir,
    mountCheck: false,
    preallocate: false,
    pathHash: hash,
    world,
    host: STORAGE_HOST,
    filters,
    local,
    autoCreateAccountPrefix: '.',
  };
  started.push(await startAccountServer({ ...database, port: ports.account, delayReaping }));
  started.push(
    await startContainerServer({
      ...database,
      port: ports.container,
      allowVersions: true,
      allowedSyncHosts: syncHosts,
      storagePorts: [ports.account, ports.container, ports.object],
      connectTimeoutMs: 500,
      nodeTimeoutMs: 3000,
    }),
  );
  const section = {
    ...conf.section('object-server.conf', 'app:object-server'),
    devices: devicesDir,
    mount_check: 'false',
  };
  started.push(
    await startObjectServer({
      options: objectServerOptions(confSection(section)),
      pathHash: hash,
      host: STORAGE_HOST,
      port: ports.object,
      world,
      filters,
      local,
    }),
  );
}
