import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createLogger,
  type RunningService,
  seededRandom,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import { setXattr } from '@folsom/host/xattr';
import { startAccountServer } from '@folsom/object-account';
import { startContainerServer } from '@folsom/object-container';
import { startProxy } from '@folsom/object-proxy';
import {
  objectServerOptions,
  replicateObjects,
  replicatorOptions,
  startObjectServer,
} from '@folsom/object-server';
import {
  addDevice,
  encodeRing,
  newBuilder,
  openRing,
  type Ring,
  type RingBuilder,
  rebalance,
  ringDataOf,
} from '@folsom/ring';
import { confSection, parseConf, pathHash } from '@folsom/swift';
import { createInternalClient, type InternalClient, internalText } from '@folsom/swift-http';

/** One host: a device, and the three servers that serve it. */
export interface StorageNode {
  id: number;
  device: string;
  /** The servers' `devices` directory. */
  root: string;
  ports: Record<Kind, number>;
  services: Partial<Record<Kind, RunningService>>;
}

type Kind = 'account' | 'container' | 'object';
const KINDS: readonly Kind[] = ['account', 'container', 'object'];
const PROXY_CONF = `
[pipeline:main]
pipeline = catch_errors proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
node_timeout = 5
conn_timeout = 1
error_suppression_interval = 1
[filter:catch_errors]
use = egg:swift#catch_errors
`;

export const HASH = pathHash('faults');

/** A whole object store of several hosts in this process, with what it takes to break it. */
export interface Cluster {
  nodes: StorageNode[];
  swiftDir: string;
  builder: RingBuilder;
  world: World;
  objectRing: Ring;
  client: InternalClient;
  lines: string[];
  startServer(node: StorageNode, kind: Kind, conf?: Record<string, string>): Promise<void>;
  stopServer(node: StorageNode, kind: Kind): Promise<void>;
  /** A proxy; its clock runs `skewMs` ahead. `conf` replaces its proxy-server.conf. */
  startProxy(
    skewMs?: number,
    conf?: string,
    port?: number,
  ): Promise<{ port: number; service: RunningService }>;
  /** One pass of the object replicator of every host, by our own sync. */
  replicate(): Promise<void>;
  /** Writes the object ring of the builder, and lets servers and proxies see it at once. */
  pushRing(): void;
  request(
    port: number,
    method: string,
    path: string,
    body?: Buffer,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Answer {
  status: number;
  body: Buffer;
  etag: string | undefined;
}

export interface ClusterOptions {
  nodes: number;
  replicas?: number;
  /** Prepares the device of a host in its `devices` directory; default: a plain directory. */
  makeDevice?(node: StorageNode): Promise<void>;
  mountCheck?: boolean;
}

const MEMORY_DISK = '/dev/shm';

/**
 * A folder on a file system in memory where that keeps extended attributes: processes die in these tests, machines
 * do not, and the syncs of a real disk are most of their time. `FOLSOM_FAULT_DISK` names another.
 */
function clusterFolder(): string {
  const chosen = process.env.FOLSOM_FAULT_DISK;
  if (chosen !== undefined) return mkdtempSync(join(chosen, 'cluster-'));
  let folder: string;
  try {
    folder = mkdtempSync(join(MEMORY_DISK, 'cluster-'));
  } catch {
    return mkdtempSync(join(tmpdir(), 'cluster-'));
  }
  const fd = openSync(join(folder, 'probe'), 'w');
  try {
    setXattr(fd, 'user.probe', Buffer.from('x'));
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return mkdtempSync(join(tmpdir(), 'cluster-'));
  } finally {
    closeSync(fd);
  }
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = clusterFolder();
  const swiftDir = join(folder, 'etc');
  mkdirSync(swiftDir);
  writeFileSync(join(swiftDir, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = faults\n');
  const lines: string[] = [];
  const undeclared = new Set<string>();
  const world: World = {
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'warn', write: line => lines.push(line) }),
  };
  const client = createInternalClient(world);
  const nodes: StorageNode[] = [];
  const proxies: RunningService[] = [];
  const builder = newBuilder(6, options.replicas ?? 3, 0);
  const mountCheck = String(options.mountCheck ?? false);

  const startServer = async (node: StorageNode, kind: Kind, conf: Record<string, string> = {}) => {
    const { root } = node;
    const shared = {
      root,
      mountCheck: false,
      preallocate: false,
      pathHash: HASH,
      world,
      host: '127.0.0.1',
      undeclared: (operation: string, what: string) => undeclared.add(`${operation}: ${what}`),
    };
    const port = node.ports[kind];
    const service =
      kind === 'account'
        ? await startAccountServer({ ...shared, port, autoCreateAccountPrefix: '.' })
        : kind === 'container'
          ? await startContainerServer({
              ...shared,
              port,
              autoCreateAccountPrefix: '.',
              allowVersions: true,
              allowedSyncHosts: [],
              connectTimeoutMs: 500,
              nodeTimeoutMs: 3000,
            })
          : await startObjectServer({
              ...shared,
              options: objectServerOptions(
                confSection({ devices: root, mount_check: mountCheck, log_requests: 'false', ...conf }),
              ),
              port,
            });
    node.services[kind] = service;
    node.ports[kind] = Number(service.addresses[0]!.split(':').at(-1));
  };

  for (let id = 0; id < options.nodes; id++) {
    const root = join(folder, `node${id}`);
    const node: StorageNode = {
      id,
      device: `sd${id}`,
      root,
      ports: { account: 0, container: 0, object: 0 },
      services: {},
    };
    mkdirSync(join(root, node.device), { recursive: true });
    await options.makeDevice?.(node);
    nodes.push(node);
    for (const kind of KINDS) await startServer(node, kind);
    addDevice(builder, ringDevice(node, 'object'));
  }
  rebalance(builder, { nowSeconds: 0, random: seededRandom(5) });
  const ringFile = (kind: Kind) => join(swiftDir, `${kind}.ring.gz`);
  const pushRing = () => writeFileSync(ringFile('object'), encodeRing(ringDataOf(builder)));
  pushRing();
  for (const kind of ['account', 'container'] as const) {
    const own = newBuilder(6, Math.min(3, options.nodes), 0);
    for (const node of nodes) addDevice(own, ringDevice(node, kind));
    rebalance(own, { nowSeconds: 0, random: seededRandom(6) });
    writeFileSync(ringFile(kind), encodeRing(ringDataOf(own)));
  }
  const ring = (kind: Kind) => openRing({ path: ringFile(kind), clock: systemClock, reloadMs: 0 });

  const cluster: Cluster = {
    nodes,
    swiftDir,
    builder,
    world,
    client,
    lines,
    objectRing: ring('object'),
    startServer,
    stopServer: async (node, kind) => {
      await node.services[kind]?.stop();
      delete node.services[kind];
    },
    startProxy: async (skewMs = 0, conf = PROXY_CONF, port = 0) => {
      const service = await startProxy({
        conf: parseConf(conf),
        rings: { account: ring('account'), container: ring('container'), object: ring('object') },
        pathHash: HASH,
        world: { ...world, clock: { ...systemClock, now: () => systemClock.now() + skewMs } },
        host: '127.0.0.1',
        port,
        swiftDir,
      });
      proxies.push(service);
      return { port: Number(service.addresses[0]!.split(':').at(-1)), service };
    },
    replicate: async () => {
      for (const node of nodes) {
        if (!node.services.object) continue;
        await replicateObjects({
          options: replicatorOptions(
            confSection({
              devices: node.root,
              mount_check: mountCheck,
              bind_port: String(node.ports.object),
              sync_method: 'http',
              recon_cache_path: join(folder, 'cache'),
              concurrency: '4',
            }),
          ),
          ring: ring('object'),
          pathHash: HASH,
          client,
          world,
        });
      }
    },
    pushRing,
    request: async (port, method, path, body, headers = {}) => {
      const response = await client.request(
        { ip: '127.0.0.1', port },
        {
          method,
          path,
          headers: [
            ['content-type', 'application/octet-stream'],
            ['content-length', String(body?.length ?? 0)],
            ...Object.entries(headers),
          ],
          ...(body ? { body } : {}),
          connectTimeoutMs: 2000,
          timeoutMs: 30_000,
        },
      );
      return {
        status: response.status,
        body: await internalText(response, 1 << 30),
        etag: response.headers.get('etag'),
      };
    },
    stop: async () => {
      for (const proxy of proxies) await proxy.stop();
      for (const node of nodes) for (const service of Object.values(node.services)) await service.stop();
      client.close();
      rmSync(folder, { recursive: true, force: true });
      if (undeclared.size > 0) throw new Error(`not declared: ${[...undeclared].join(', ')}`);
    },
  };
  return cluster;
}

export const ringDevice = (node: StorageNode, kind: Kind) => ({
  id: node.id,
  zone: node.id,
  ip: '127.0.0.1',
  port: node.ports[kind],
  device: node.device,
  weight: 100,
  meta: '',
});

/** The bytes of an object, told by its name. */
export const contentOf = (name: string): Buffer =>
  Buffer.from(createHash('sha256').update(name).digest('hex').repeat(2));

/** What became of many writes: those acknowledged, and the answers of the others. */
export interface Writes {
  acknowledged: string[];
  refused: Record<number, number>;
}

/** Writes `count` objects through proxies in turn, several at a time. `during` runs when half are done. */
export async function writeMany(
  cluster: Cluster,
  ports: readonly number[],
  count: number,
  prefix: string,
  during: () => Promise<void> = async () => {},
): Promise<Writes> {
  const result: Writes = { acknowledged: [], refused: {} };
  let next = 0;
  const begun: Promise<void>[] = [];
  const worker = async () => {
    for (let i = next++; i < count; i = next++) {
      if (i >= count / 2 && begun.length === 0) begun.push(during());
      const name = `${prefix}${i}`;
      let status = 0;
      try {
        ({ status } = await cluster.request(
          ports[i % ports.length]!,
          'PUT',
          `/v1/AUTH_f/c/${name}`,
          contentOf(name),
        ));
      } catch {
        // the connection broke: not acknowledged
      }
      if (status === 201) result.acknowledged.push(name);
      else result.refused[status] = (result.refused[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  await Promise.all(begun);
  return result;
}

/** The acknowledged objects that cannot be read back as they were written. */
export async function lostOf(cluster: Cluster, port: number, names: readonly string[]): Promise<string[]> {
  const lost: string[] = [];
  const queue = [...names];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const { status, body } = await cluster.request(port, 'GET', `/v1/AUTH_f/c/${name}`);
      if (status !== 200 || !body.equals(contentOf(name))) lost.push(`${name}: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return lost;
}

export async function makeContainer(cluster: Cluster, port: number): Promise<void> {
  const { status } = await cluster.request(port, 'PUT', '/v1/AUTH_f/c');
  if (status !== 201 && status !== 202) throw new Error(`container: ${status}`);
}
