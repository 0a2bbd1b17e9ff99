import { join } from 'node:path';
import { Fault, isDiskFull, must, type RunningService, type World } from '@folsom/core';
import {
  answered,
  BATCH_BYTES_MAX,
  BATCH_METHOD,
  type ConfSection,
  countAnswer,
  invalidDeviceOrPartition,
  isMounted,
  maskedTarget,
  type PathHash,
  parseFloatText,
  type ServerFilter,
  splitPath,
  storageDirectory,
} from '@folsom/swift';
import {
  answer,
  brokenBodyAnswer,
  bytesFromUtf8,
  createHttpServer,
  EMPTY_BODY,
  type Headers,
  type ListenOptions,
  type LocalServers,
  listenOptions,
  lowerName,
  parseTarget,
  readAll,
  type ServerRequest,
  type ServerResponse,
  titleCase,
  utf8FromBytes,
} from '@folsom/swift-http';
import { batchedRequests } from './batch.ts';
import { isBusy, whileBusy } from './busy.ts';
import type { AnyDb, DbFileOptions } from './database.ts';
import type { ListingType } from './listing-request.ts';
import type { Metadata } from './metadata.ts';
import { DbLocked } from './pending.ts';
import { DbQuarantined } from './quarantine.ts';
import { replicateDb } from './replication.ts';
import type { DbKindName } from './schema.ts';
import { createDbStore, type DbLease, type DbStore } from './store.ts';

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
}

export interface DbRequest<Db> {
  http: ServerRequest;
  method: string;
  headers: Headers;
  query: string;
  device: string;
  partition: string;
  account: string;
  container: string | undefined;
  object: string | undefined;
  /** Where the database of this request lies. */
  path: string;
  open(): Db | null;
  store: DbStore<Db>;
}

export type DbHandler<Db> = (request: DbRequest<Db>) => Promise<ServerResponse>;

export interface DbService<Db> {
  kind: DbKindName;
  program: string;
  Kind: new (path: string, options: DbFileOptions) => Db;
  /** Path segments after device and partition that a method takes: at least, at most. */
  handlers: Record<string, { parts: [number, number]; handler: DbHandler<Db> }>;
  /** Does many requests at once; a status for each. See update-batch.ts of swift. */
  batch?: (requests: (DbRequest<Db> | ServerResponse)[]) => Promise<number[]>;
}

const REPLICATE_BYTES_MAX = 64 * 1024 * 1024;

/** Starts the HTTP side of an account or container server. */
export async function startDbServer<Db extends AnyDb>(
  service: DbService<Db>,
  options: DbServerOptions,
): Promise<RunningService> {
  const { world, root } = options;
  const log = world.log.child({ service: service.program });
  const fileOptions: DbFileOptions = {
    world: { ...world, log },
    preallocate: options.preallocate,
    // A writer that waits must not hold up the readers: it tries again when others have had their turn.
    stallMs: 0,
  };
  const store = createDbStore<Db>(service.kind, service.Kind, fileOptions);
  const datadir = service.kind === 'account' ? 'accounts' : 'containers';

  const handle = async (http: ServerRequest): Promise<ServerResponse> => {
    const lease = store.lease();
    try {
      return await handleWith(http, lease);
    } finally {
      lease.release();
    }
  };
  const bad = (http: ServerRequest, text: string) =>
    answer(400, http, { body: text, contentType: 'text/plain' });

  const replicate = async (
    http: ServerRequest,
    path: string,
    lease: DbLease<Db>,
  ): Promise<ServerResponse> => {
    const parts = splitPath(path, 3);
    if (!parts) return bad(http, `Invalid path: ${path}`);
    const [device, partition, hash] = parts as [string, string, string];
    const wrong = invalidDeviceOrPartition(device, partition);
    if (wrong) return bad(http, wrong);
    if (!/^[0-9a-f]{32}$/.test(hash)) return bad(http, `Invalid path: ${path}`);
    if (options.mountCheck && !isMounted(root, device)) return notMounted(http, device);
    const body = await readAll(http.body, REPLICATE_BYTES_MAX);
    let args: unknown;
    try {
      args = JSON.parse(body?.toString('utf8') ?? '');
    } catch (error) {
      return bad(http, error instanceof Error ? error.message : 'no JSON');
    }
    const deviceDir = join(root, device);
    const file = join(deviceDir, storageDirectory(datadir, partition, hash), `${hash}.db`);
    return whileBusy(world.clock, () =>
      replicateDb(
        args,
        { deviceDir, path: file },
        { open: path => lease.open(path), create: store.create },
        at => new service.Kind(at, fileOptions),
        fileOptions.world,
        http,
      ),
    );
  };

  /** What a request asks for; an answer if it cannot be done. */
  const requestOf = (
    http: ServerRequest,
    path: string,
    query: string,
    lease: DbLease<Db>,
  ): DbRequest<Db> | ServerResponse => {
    const entry = Object.hasOwn(service.handlers, http.method) ? service.handlers[http.method] : undefined;
    if (!entry) return answer(405, http);
    const parts = splitPath(path, entry.parts[0], entry.parts[1], entry.parts[1] === 5);
    if (!parts) return bad(http, `Invalid path: ${path}`);
    const [device, partition, account, container, object] = parts as [
      string,
      string,
      string,
      string?,
      string?,
    ];
    const wrong = invalidDeviceOrPartition(device, partition);
    if (wrong) return bad(http, wrong);
    const hash =
      service.kind === 'account'
        ? options.pathHash.hex(account)
        : options.pathHash.hex(account, must(container, 'a container server is asked for containers'));
    const file = join(root, device, storageDirectory(datadir, partition, hash), `${hash}.db`);
    const timestamp = http.headers.get('x-timestamp');
    const needsTime =
      http.method === 'DELETE' ||
      http.method === 'POST' ||
      (http.method === 'PUT' && (service.kind === 'container' || !container));
    if (needsTime && parseFloatText(timestamp) === null) {
      return bad(http, http.method === 'POST' ? 'Missing or bad timestamp' : 'Missing timestamp');
    }
    if (options.mountCheck && !isMounted(root, device)) return notMounted(http, device);
    return {
      http,
      method: http.method,
      headers: http.headers,
      query,
      device: device,
      partition: partition,
      account: account,
      container,
      object,
      path: file,
      open: () => lease.open(file),
      store,
    };
  };

  const runBatch = async (
    http: ServerRequest,
    batch: NonNullable<DbService<Db>['batch']>,
    lease: DbLease<Db>,
  ): Promise<ServerResponse> => {
    const items = batchedRequests(await readAll(http.body, BATCH_BYTES_MAX));
    if (!items) return bad(http, 'no batch');
    const started = world.clock.monotonic();
    const statuses = await batch(
      items.map(([method, target, headers]) => {
        const own: ServerRequest = { ...http, method, target, headers: new Map(Object.entries(headers)) };
        own.body = EMPTY_BODY;
        const { path, query, valid } = parseTarget(target);
        return valid ? requestOf(own, path, query, lease) : answer(412, own);
      }),
    );
    const ms = world.clock.monotonic() - started;
    const transactions = new Set<string>();
    items.forEach(([method, , { 'x-trans-id': transaction }], i) => {
      countAnswer(world, service.program, method, statuses[i] ?? 500, ms);
      if (transaction) transactions.add(transaction);
    });
    if (options.logRequests !== false) {
      log.info('updates', {
        count: items.length,
        refused: statuses.filter(status => status >= 300).length,
        requestIds: [...transactions].join(' '),
        remote: http.remoteAddress,
        ms: Math.round(ms * 100) / 100,
      });
    }
    return {
      status: 200,
      headers: new Map([['content-type', 'application/json']]),
      body: Buffer.from(JSON.stringify(statuses)),
    };
  };

  const handleWith = async (http: ServerRequest, lease: DbLease<Db>): Promise<ServerResponse> => {
    const { path, query, valid } = parseTarget(http.target);
    if (!valid) return answer(412, http, { body: 'Invalid UTF8' });
    for (const filter of options.filters ?? []) {
      const answered = filter(path, http);
      if (answered) return answered;
    }
    if (http.method === 'REPLICATE') return replicate(http, path, lease);
    if (http.method === BATCH_METHOD && service.batch) return runBatch(http, service.batch, lease);
    const request = requestOf(http, path, query, lease);
    if ('status' in request) return request;
    const { handler } = must(service.handlers[http.method], 'requestOf has found it');
    return whileBusy(world.clock, () => handler(request));
  };

  const server = createHttpServer({
    ...listenOptions(options),
    world: fileOptions.world,
    ...(options.local ? { local: options.local } : {}),
    handler: async http => {
      const started = world.clock.monotonic();
      let response: ServerResponse;
      try {
        response = await handle(http);
      } catch (error) {
        const broken = brokenBodyAnswer(error, http);
        if (broken) response = broken;
        else if (error instanceof DbQuarantined) response = answer(404, http);
        else if (error instanceof Fault)
          response = answer(error.status, http, { body: error.message, contentType: 'text/plain' });
        else {
          const locked = error instanceof DbLocked || isBusy(error);
          log.error('request failed', { method: http.method, target: maskedTarget(http.target), error });
          response = cannotStore(error)
            ? answer(507, http, {
                body: must(cannotStore(error), 'cannotStore gives something'),
                contentType: 'text/plain',
              })
            : answer(locked ? 503 : 500, http);
        }
      }
      const ms = world.clock.monotonic() - started;
      const logged = options.logRequests !== false;
      answered({ world, log, server: service.program, logged }, http, response.status, ms);
      return response;
    },
  });
  const address = await server.listen(options.port, options.host);
  let stopped: Promise<void> | null = null;
  return {
    name: service.program,
    addresses: [address],
    stop: () => {
      stopped ??= server.close().then(() => store.close());
      return stopped;
    },
  };
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

const notMounted = (http: ServerRequest, device: string): ServerResponse =>
  answer(507, http, { body: `${device} is not mounted` });

/** Readers take stale rows rather than wait longer than this for the pending file. */
const STALE_AFTER_MS = 100;

/** The time of a request that writes, which was checked before. */
export const timeOf = (headers: Headers): string =>
  must(headers.get('x-timestamp'), 'a request that writes was checked for its timestamp');

/** What account and container databases have in common besides their file. */
interface Deletable<Stat> {
  commitPending(waitMs?: number, stale?: boolean): Promise<void>;
  stat(): Stat;
  isDeleted(stat?: Stat): boolean;
}

/** The database for reading, with its numbers; null where there is none, or a deleted one. */
export async function openToRead<Stat, Db extends Deletable<Stat>>(
  open: () => (Db & Deletable<Stat>) | null,
): Promise<{ db: Db; stat: Stat } | null> {
  const db = open();
  if (!db) return null;
  await db.commitPending(STALE_AFTER_MS, true);
  const stat = db.stat();
  return db.isDeleted(stat) ? null : { db, stat };
}

/** The database for writing, with what was pending in it; null where there is none, or a deleted one. */
export async function openToWrite<Db extends Deletable<unknown>>(open: () => Db | null): Promise<Db | null> {
  const db = open();
  await db?.commitPending();
  return db?.isDeleted() === false ? db : null;
}

/** A listing with its headers; an empty text is no content. */
export function listingAnswer(
  http: ServerRequest,
  headers: Headers,
  type: ListingType,
  body: Buffer,
): ServerResponse {
  if (body.length === 0) return answer(204, http, { headers });
  headers.set('content-type', `${type}; charset=utf-8`);
  headers.set('content-length', String(body.length));
  return { status: 200, headers, body };
}

/** The metadata headers of a request, with the time of their setting; names in the original's spelling. */
export function metadataOf(headers: Headers, timestamp: string, wanted: (name: string) => boolean): Metadata {
  const out: Metadata = {};
  const text = (bytes: string): string => utf8FromBytes(bytes) ?? bytes;
  for (const [name, value] of headers) {
    // Names and values are UTF-8 by custom; other bytes are kept as their latin1 characters.
    if (wanted(name)) out[text(titleCase(name))] = [text(value), timestamp];
  }
  return out;
}

/** Metadata as response headers; blank values are deleted ones. */
export function* metadataHeaders(
  metadata: Metadata,
  wanted: (name: string) => boolean,
): Iterable<[string, string]> {
  for (const [name, [value]] of Object.entries(metadata)) {
    const lower = lowerName(bytesFromUtf8(name));
    if (value !== '' && wanted(lower)) yield [lower, bytesFromUtf8(value)];
  }
}

/** As many items, and as many bytes of names and values, an account or container may have in all. */
const META_COUNT_MAX = 90;
const META_OVERALL_MAX = 4096;

/**
 * Merges a request's metadata into a database, unless the whole would then be more than a single request may bring:
 * many small changes must not get past the limits.
 * @returns the refusal, if any
 */
export function mergeMetadata(
  db: AnyDb,
  updates: Metadata,
  prefix: string,
  http: ServerRequest,
): ServerResponse | null {
  const names = Object.keys(updates);
  if (!names.length) return null;
  const lower = prefix.toLowerCase();
  const grows = names.some(
    name => name.toLowerCase().startsWith(lower) && must(updates[name], 'name is in updates')[0] !== '',
  );
  if (grows) {
    let count = 0;
    let size = 0;
    for (const [name, [value]] of Object.entries({ ...db.metadata(), ...updates })) {
      if (value === '' || !name.toLowerCase().startsWith(lower)) continue;
      count++;
      size += name.length - lower.length + Buffer.byteLength(value);
    }
    const tooMuch =
      count > META_COUNT_MAX
        ? `Too many metadata items; max ${META_COUNT_MAX}`
        : size > META_OVERALL_MAX
          ? `Total metadata too large; max ${META_OVERALL_MAX}`
          : null;
    if (tooMuch) return answer(400, http, { body: tooMuch, contentType: 'text/plain' });
  }
  db.updateMetadata(updates);
  return null;
}
