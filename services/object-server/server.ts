import type { RunningService, World } from '@folsom/core';
import {
  answered,
  EACH_METHODS,
  type PathHash,
  type ServerFilter,
  storageHandler,
  storageRoutes,
  type Undeclared,
} from '@folsom/swift';
import {
  createHttpServer,
  createInternalClient,
  type InternalClient,
  type ListenOptions,
  type LocalServers,
  listenOptions,
} from '@folsom/swift-http';
import type { ObjectServerContext } from './context.ts';
import { operations } from './operations.ts';
import type { ObjectServerOptions } from './options.ts';
import { refusalOf } from './refusal.ts';
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
  filters?: readonly ServerFilter[];
  /** For tests: told of what an operation does and does not declare. */
  undeclared?: Undeclared;
}

/** What the option `slow` is about. */
const SLOWED = new Set(Object.entries(EACH_METHODS).flat());

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
  const devices = { root: options.devices, mountCheck: options.mountCheck };
  const handle = storageHandler(
    storageRoutes(operations, devices, settings.filters),
    request => request.operation.run(context, request),
    (error, http) => refusalOf(error, http, log),
    settings.undeclared,
  );

  const server = createHttpServer({
    ...listenOptions(settings),
    ...(settings.local ? { local: settings.local } : {}),
    world: context.world,
    handler: async http => {
      const started = world.clock.monotonic();
      const response = await handle(http);
      const took = world.clock.monotonic() - started;
      if (options.slowMs > took && SLOWED.has(http.method)) {
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
