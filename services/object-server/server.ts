import { mkdirSync } from 'node:fs';
import { Fault, isDiskFull, must, type RunningService, type World } from '@folsom/core';
import { pickle } from '@folsom/pickle';
import {
  answered,
  invalidDeviceOrPartition,
  isMounted,
  maskedTarget,
  type PathHash,
  splitPath,
} from '@folsom/swift';
import {
  answer,
  brokenBodyAnswer,
  createHttpServer,
  createInternalClient,
  type InternalClient,
  type ListenOptions,
  type LocalServers,
  listenOptions,
  parseTarget,
  type ServerRequest,
  type ServerResponse,
} from '@folsom/swift-http';
import { deleteObject, postObject } from './change-object.ts';
import type { ObjectRequest, ObjectServerContext } from './context.ts';
import { objectPlace } from './object-file.ts';
import type { ObjectServerOptions } from './options.ts';
import { putObject } from './put-object.ts';
import { quarantine } from './quarantine.ts';
import { getObject, headObject } from './read-object.ts';
import { RECLAIM_AGE_SECONDS, suffixHashes } from './suffix-hashes.ts';
import { listSuffixes } from './suffix-listing.ts';
import { LISTING_HEADER } from './sync-protocol.ts';
import { updateSender } from './update-sender.ts';

export interface ObjectServerSettings extends ListenOptions {
  options: ObjectServerOptions;
  pathHash: PathHash;
  host: string;
  /** 0 takes any free one. */
  port: number;
  world: World;
  /** Shared with others in the process; own by default. */
  client?: InternalClient;
  /** Servers of this process that talk without connections. */
  local?: LocalServers;
  /** Answers `/recon/...` and `/healthcheck` if the pipeline has them; null passes a request on. */
  filters?: readonly ((path: string, request: ServerRequest) => ServerResponse | null)[];
}

type Handler = (
  context: ObjectServerContext,
  request: ObjectRequest,
) => ServerResponse | Promise<ServerResponse>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  GET: getObject,
  HEAD: headObject,
  PUT: putObject,
  POST: postObject,
  DELETE: deleteObject,
};

/** Starts an object server: swift's storage protocol over the devices of one directory. */
export async function startObjectServer(settings: ObjectServerSettings): Promise<RunningService> {
  const { options, world } = settings;
  const log = world.log.child({ service: 'object-server' });
  const client = settings.client ?? createInternalClient(world, settings.local);
  const context: ObjectServerContext = {
    options,
    pathHash: settings.pathHash,
    updates: updateSender(
      client,
      { connectTimeoutMs: options.connTimeoutMs, timeoutMs: options.nodeTimeoutMs },
      world.clock,
    ),
    world: { ...world, log },
  };
  const filters = settings.filters ?? [];

  const route = (http: ServerRequest): ServerResponse | Promise<ServerResponse> => {
    const { path, valid } = parseTarget(http.target);
    if (!valid) return answer(412, http, { body: 'Invalid UTF8' });
    for (const filter of filters) {
      const answered = filter(path, http);
      if (answered) return answered;
    }
    if (http.method === 'REPLICATE') return replicate(context, http, path);
    const handler = Object.hasOwn(HANDLERS, http.method)
      ? must(HANDLERS[http.method], 'http.method is in HANDLERS')
      : null;
    if (!handler) return answer(405, http);
    const parts = splitPath(path, 5, 5, true) as [string, string, string, string, string] | null;
    const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
    if (!parts || path.includes('\0')) return bad(`Invalid path: ${http.target}`);
    const [deviceName, partition, account, container, object] = parts;
    const wrong = invalidDeviceOrPartition(deviceName, partition);
    if (wrong) return bad(wrong);
    if (options.mountCheck && !isMounted(options.devices, deviceName)) return notMounted(http, deviceName);
    const device = `${options.devices}/${deviceName}`;
    const place = objectPlace(settings.pathHash, device, partition, account, container, object);
    return handler(context, { http, account, container, object, deviceName, place });
  };

  const server = createHttpServer({
    ...listenOptions(settings),
    ...(settings.local ? { local: settings.local } : {}),
    world: context.world,
    handler: async http => {
      const started = world.clock.monotonic();
      let response: ServerResponse;
      try {
        response = await route(http);
      } catch (error) {
        const broken = brokenBodyAnswer(error, http);
        const { code } = error as NodeJS.ErrnoException;
        const gone =
          code === 'ENOENT' || code === 'ENOTDIR' || code === 'EIO' || code === 'EROFS' || code === 'ENODEV';
        const full = isDiskFull(error);
        if (!broken)
          log.error('request failed', { method: http.method, target: maskedTarget(http.target), error });
        // A device that vanished or broke under the request is one that cannot store.
        response =
          broken ??
          (gone || full
            ? answer(507, http, full ? { detail: 'The device is full' } : {})
            : answer(500, http));
        if (error instanceof Fault) {
          response = answer(error.status, http, { body: error.message, contentType: 'text/plain' });
        }
      }
      const took = world.clock.monotonic() - started;
      if (options.slowMs > took && (http.method === 'PUT' || http.method === 'DELETE')) {
        await world.clock.sleep(options.slowMs - took);
      }
      const logged = options.logRequests;
      answered({ world, log, server: 'object-server', logged }, http, response.status, took);
      return response;
    },
  });
  const address = await server.listen(settings.port, settings.host);
  log.info('serving', { address, devices: options.devices });
  let stopped: Promise<void> | null = null;
  return {
    name: 'swift-object-server',
    addresses: [address],
    stop: () => {
      stopped ??= server.close().then(() => {
        if (!settings.client) client.close();
      });
      return stopped;
    },
  };
}

const notMounted = (http: ServerRequest, device: string): ServerResponse =>
  answer(507, http, { body: `${device} is not mounted`, contentType: 'text/plain' });

/** REPLICATE: the suffix hashes of a partition, after hashing anew those that the caller names. */
async function replicate(
  context: ObjectServerContext,
  http: ServerRequest,
  path: string,
): Promise<ServerResponse> {
  const { options, world } = context;
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const parts = splitPath(path, 2, 3, true);
  if (!parts) return bad(`Invalid path: ${http.target}`);
  const [device, partition, suffixes] = parts as [string, string, string | undefined];
  const wrong = invalidDeviceOrPartition(device, partition);
  if (wrong) return bad(wrong);
  if (!/^\d{1,10}$/.test(partition)) return bad(`Invalid partition: ${partition}`);
  if (options.mountCheck && !isMounted(options.devices, device)) return notMounted(http, device);
  const directory = `${options.devices}/${device}/objects/${partition}`;
  mkdirSync(directory, { recursive: true });
  if (http.headers.has(LISTING_HEADER) && suffixes) {
    const listing = await listSuffixes(directory, suffixes.split('-'));
    return {
      status: 200,
      headers: new Map([['content-type', 'application/json']]),
      body: Buffer.from(JSON.stringify(listing)),
    };
  }
  const { hashes } = await suffixHashes(directory, {
    clock: world.clock,
    log: world.log,
    reclaimAge: RECLAIM_AGE_SECONDS,
    recalculate: suffixes ? suffixes.split('-') : [],
    quarantine: (at, file) => void quarantine(at, `${file}/x`, world.random),
  });
  return {
    status: 200,
    headers: new Map([['content-type', 'text/html; charset=UTF-8']]),
    body: pickle(hashes, { protocol: 0 }),
  };
}
