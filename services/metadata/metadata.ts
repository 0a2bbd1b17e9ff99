import { posix } from 'node:path';
import type { Config } from '@folsom/config';
import { Fault, isFault, must, type RunningService, type World } from '@folsom/core';
import { type Database, isDatabaseAway } from '@folsom/db';
import { createApp, type RenderedFault } from '@folsom/http';
import { fixedIpByAddress } from '@folsom/nova/fixed-ips';
import {
  EC2_VERSIONS,
  type InstanceMetadata,
  instanceMetadata,
  OPENSTACK_VERSIONS,
} from '@folsom/nova/instance-metadata';
import { parseIpv4 } from '@folsom/nova/ipv4';
import { find, print, type Tree } from '@folsom/nova/metadata-tree';
import { novaOptions } from '@folsom/nova/options';
import { LRUCache } from 'lru-cache';

export interface MetadataServiceOptions {
  config: Config;
  db: Database;
  world: World;
}

/** How long what was collected for an instance is used. */
const KEPT_MS = 15_000;
const KEPT_MAX = 10_000;

/** Starts the metadata service: EC2's documents and OpenStack's, for the instance that asks, by its address. */
export async function startMetadata(options: MetadataServiceOptions): Promise<RunningService> {
  const { db, world } = options;
  const settings = options.config.of(novaOptions);
  const kept = new LRUCache<string, { until: number; metadata: InstanceMetadata }>({ max: KEPT_MAX });

  const metadataOf = async (address: string): Promise<InstanceMetadata | undefined> => {
    if (parseIpv4(address) === undefined) return undefined;
    // Who has the address is asked every time: it may belong to somebody else than a moment ago.
    const fixed = await fixedIpByAddress(db, address).catch(absent);
    if (!fixed?.allocated || fixed.instance_uuid === null) return undefined;
    const key = `${address} ${fixed.instance_uuid}`;
    const now = world.clock.monotonic();
    const known = kept.get(key);
    if (known !== undefined && known.until > now) return known.metadata;
    const metadata = await instanceMetadata(
      db,
      settings,
      fixed.instance_uuid,
      address,
      world.clock.now(),
    ).catch(absent);
    if (metadata === undefined) return undefined;
    kept.set(key, { until: now + KEPT_MS, metadata });
    return metadata;
  };

  const app = createApp({
    unavailable: isDatabaseAway,
    name: 'nova-api-metadata',
    world,
    renderFault,
    // By where a request comes from.
    authenticate: null,
    health: false,
    bodyLimit: settings.osapi_max_request_body_size,
  });
  app.server.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    url: '/*',
    config: { name: 'metadata' },
    handler: async (request, reply) => {
      const forwarded = request.headers['x-forwarded-for'];
      const source = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
      const address = settings.use_forwarded_for && typeof forwarded === 'string' ? forwarded.trim() : source;
      const path = pathOf(request.url);
      const text = await answer(path, () => metadataOf(address));
      if (text === undefined) throw new Fault('RouteNotFound', 404, '');
      reply.header('content-type', 'text/html; charset=UTF-8');
      return reply.send(Buffer.from(text, 'latin1'));
    },
  });
  const address = await app.listen({ host: settings.metadata_listen, port: settings.metadata_listen_port });
  world.log.info('metadata service started', { address });
  return { name: 'nova-api-metadata', addresses: [address], stop: () => app.stop() };
}

const absent = (error: unknown): undefined => {
  if (error instanceof Fault && error.status === 404) return undefined;
  if (isFault(error, 'InstanceNotFound')) return undefined;
  throw error;
};

/** Parts of the path, without `.`, `..` and empty ones. */
function pathOf(url: string): string[] {
  return posix
    .normalize(must(url.split('?', 1)[0], 'a split has a first part'))
    .split('/')
    .filter(part => part !== '')
    .map(part => {
      try {
        return decodeURIComponent(part);
      } catch {
        // Not a name of ours; it will not be found.
        return part;
      }
    });
}

/** The text at a path; undefined where there is none or nobody known asks. */
async function answer(
  path: readonly string[],
  metadata: () => Promise<InstanceMetadata | undefined>,
): Promise<string | undefined> {
  const mine = await metadata();
  if (mine === undefined) return undefined;
  if (path.length === 0) return [...EC2_VERSIONS, 'latest'].join('\n');
  const [first, ...rest] = path as [string, ...string[]];
  let tree: Tree | undefined;
  if (first === 'openstack') {
    if (rest.length === 0) return [...OPENSTACK_VERSIONS, 'latest'].join('\n');
    const documents = mine.openstack(must(rest[0], 'rest is not empty'));
    tree = documents === undefined ? undefined : find(documents, rest.slice(1));
  } else {
    const [version, ...below] = first === 'ec2' ? rest : path;
    if (version === undefined) return [...EC2_VERSIONS, 'latest'].join('\n');
    const documents = mine.ec2(version);
    tree = documents === undefined ? undefined : find(documents, below);
  }
  return tree === undefined ? undefined : latin1(print(tree));
}

/** Texts go out as UTF-8, user data byte for byte; both are carried as one character a byte. */
const latin1 = (text: string): string =>
  /[^\u0000-\u00ff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

function renderFault(fault: Fault): RenderedFault {
  const [title, detail] =
    fault.status === 404
      ? ['404 Not Found', 'The resource could not be found.']
      : fault.status < 500
        ? [`${fault.status} Bad Request`, fault.message]
        : ['500 Internal Server Error', 'An unknown error has occurred. Please try your request again.'];
  return {
    status: fault.status,
    headers: { 'content-type': 'text/plain; charset=UTF-8' },
    body: `${title}\n\n${detail}\n\n   `,
  };
}
