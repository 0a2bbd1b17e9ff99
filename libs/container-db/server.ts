import { Fault, isDiskFull, type RunningService, type World } from '@folsom/core';
import {
  answered,
  type ConfSection,
  maskedTarget,
  type PathHash,
  type ServerFilter,
  type StorageRequest,
  storageHandler,
  storageRoutes,
  type Undeclared,
} from '@folsom/swift';
import {
  answer,
  brokenBodyAnswer,
  createHttpServer,
  type ListenOptions,
  type LocalServers,
  listenOptions,
  type ServerRequest,
  type ServerResponse,
} from '@folsom/swift-http';
import { isBusy, whileBusy } from './busy.ts';
import type { AnyDb, DbFileOptions } from './database.ts';
import { DbLocked } from './pending.ts';
import { DbQuarantined } from './quarantine.ts';
import { type DbHandler, type DbOperation, type DbPlace, type DbRequest, dbRequest } from './request.ts';
import type { DbKindName } from './schema.ts';
import { createDbStore } from './store.ts';

/** What the conf files of account and container servers have in common. */
export interface DbServerConf {
  /** `devices`. */
  root: string;
  mountCheck: boolean;
  preallocate: boolean;
  /** Default true. */
  logRequests?: boolean;
  /** Accounts of this prefix, and their containers, come into being with what is put into them. */
  autoCreateAccountPrefix: string;
}

export const dbServerConf = (app: ConfSection): DbServerConf => ({
  root: app.str('devices', '/srv/node'),
  mountCheck: app.bool('mount_check', true),
  preallocate: app.bool('db_preallocation', false) && !app.bool('disable_fallocate', false),
  logRequests: app.bool('log_requests', true),
  autoCreateAccountPrefix: app.str('auto_create_account_prefix', '') || '.',
});

/** What account and container servers are made of. */
export interface DbServerOptions extends DbServerConf, ListenOptions {
  pathHash: PathHash;
  world: World;
  host: string;
  port: number;
  /** Answers `/recon/...` and `/healthcheck` if the pipeline has them. */
  filters?: readonly ServerFilter[];
  /** Servers of this process that talk without connections. */
  local?: LocalServers;
  /** For tests: told of what an operation does and does not declare. */
  undeclared?: Undeclared;
}

export interface DbService<Context, Db> {
  kind: DbKindName;
  program: string;
  Kind: new (path: string, options: DbFileOptions) => Db;
  operations: readonly DbOperation<Context, Db>[];
  context: Context;
}

/** Starts the HTTP side of an account or container server. */
export async function startDbServer<Context, Db extends AnyDb>(
  service: DbService<Context, Db>,
  options: DbServerOptions,
): Promise<RunningService> {
  const { world } = options;
  const { program } = service;
  const log = world.log.child({ service: program });
  const fileOptions: DbFileOptions = {
    world: { ...world, log },
    preallocate: options.preallocate,
    // A writer that waits must not hold up the readers: it tries again when others have had their turn.
    stallMs: 0,
  };
  const store = createDbStore<Db>(service.kind, service.Kind, fileOptions);
  const logged = options.logRequests !== false;
  const run = runner(service, { ...service, ...options, store, fileOptions, server: { program, logged } });
  const unexpected = (error: unknown, http: ServerRequest): ServerResponse => {
    log.error('request failed', { method: http.method, target: maskedTarget(http.target), error });
    const why = cannotStore(error);
    if (why !== null) return answer(507, http, { body: why, contentType: 'text/plain' });
    return answer(error instanceof DbLocked || isBusy(error) ? 503 : 500, http);
  };
  const handle = storageHandler(
    storageRoutes(service.operations, options, options.filters),
    run,
    (error, http) => refusalOf(error, http) ?? unexpected(error, http),
    options.undeclared,
  );
  const server = createHttpServer({
    ...listenOptions(options),
    world: fileOptions.world,
    ...(options.local ? { local: options.local } : {}),
    handler: async http => {
      const started = world.clock.monotonic();
      const response = await handle(http);
      const ms = world.clock.monotonic() - started;
      answered({ world, log, server: program, logged }, http, response.status, ms);
      return response;
    },
  });
  const address = await server.listen(options.port, options.host);
  let stopped: Promise<void> | null = null;
  return {
    name: program,
    addresses: [address],
    stop: () => {
      stopped ??= server.close().then(() => store.close());
      return stopped;
    },
  };
}

/** Runs an operation with the databases that it opens; these stay open until it is through. */
function runner<Context, Db extends AnyDb>(
  { operations, context }: DbService<Context, Db>,
  place: DbPlace<Db> & DbServerOptions,
): (request: StorageRequest<DbHandler<Context, Db>>) => Promise<ServerResponse> {
  const route = storageRoutes(operations, place);
  return async request => {
    const lease = place.store.lease();
    const inner = (http: ServerRequest): DbRequest<Db> | ServerResponse => {
      const found = route(http);
      return 'status' in found ? found : dbRequest(place, found, lease, inner);
    };
    const own = dbRequest(place, request, lease, inner);
    const { run, body } = request.operation;
    try {
      // A body can be read once: who reads one tries again by itself.
      return await (body === undefined
        ? whileBusy(place.world.clock, () => run(context, own))
        : run(context, own));
    } finally {
      lease.release();
    }
  };
}

/** The answer to a request that failed through no fault of the server's. */
function refusalOf(error: unknown, http: ServerRequest): ServerResponse | null {
  if (error instanceof DbQuarantined) return answer(404, http);
  if (error instanceof Fault)
    return answer(error.status, http, { body: error.message, contentType: 'text/plain' });
  return brokenBodyAnswer(error, http);
}

/** Why a device can store nothing, if an error says so: no room is left, it broke, or it was taken away. */
const cannotStore = (error: unknown): string | null =>
  isDiskFull(error)
    ? 'The device is full'
    : /^(SQLITE_(IOERR|READONLY|CANTOPEN)|EIO$|EROFS$|ENODEV$|ENXIO$)/.test(
          String((error as { code?: unknown } | null)?.code),
        )
      ? 'The device cannot be written'
      : null;
