import { Fault, isDiskFull, type Logger, type RunningService, type World } from '@folsom/core';
import {
  answered,
  maskedTarget,
  type PathHash,
  type ServerFilter,
  storageHandler,
  storageRoutes,
  type Undeclared,
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
  type ServerRequest,
  type ServerResponse,
} from '@folsom/swift-http';
import type { ObjectServerContext } from './context.ts';
import { operations } from './operations.ts';
import type { ObjectServerOptions } from './options.ts';
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

const GONE = new Set(['ENOENT', 'ENOTDIR', 'EIO', 'EROFS', 'ENODEV']);

/** The answer to a request that failed. */
function refusalOf(error: unknown, http: ServerRequest, log: Logger): ServerResponse {
  const broken = brokenBodyAnswer(error, http);
  if (broken) return broken;
  log.error('request failed', { method: http.method, target: maskedTarget(http.target), error });
  if (error instanceof Fault)
    return answer(error.status, http, { body: error.message, contentType: 'text/plain' });
  // A device that vanished or broke under the request is one that cannot store.
  if (isDiskFull(error)) return answer(507, http, { detail: 'The device is full' });
  return answer(GONE.has((error as NodeJS.ErrnoException).code ?? '') ? 507 : 500, http);
}
