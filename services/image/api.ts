import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TokenValidator } from '@folsom/auth';
import type { Config } from '@folsom/config';
import { type RunningService, requireRoom, type World } from '@folsom/core';
import { checkSchema, type Database, isDatabaseAway } from '@folsom/db';
import { type App, createApp, type RouteInfo } from '@folsom/http';
import { type MountedOperation, mountOperations, operationsOf } from '@folsom/http/operation';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import { discardUnreadBody } from './bodies.ts';
import { cacheOperations } from './cache/operations.ts';
import { httpFault, renderImageFault } from './faults.ts';
import { loginOf } from './login.ts';
import { createNotifier } from './notifier.ts';
import { imageFront, type Undeclared } from './operation.ts';
import { imageOptions, pasteOptions } from './options.ts';
import type { ApiParts } from './parts.ts';
import { defaultPolicy } from './policy.ts';
import { encryptingRegistry, locationCipher } from './registry/encryption.ts';
import { localRegistry } from './registry/local.ts';
import type { Registry } from './registry/registry.ts';
import { scrubQueue } from './scrubber/queue.ts';
import { openStores } from './stores/index.ts';
import { configuredTls } from './tls.ts';
import { configuredCache } from './tools.ts';
import { createCopies } from './upload/copies.ts';
import { type UploadJournal, uploadJournal, volatileJournal } from './upload/journal.ts';
import { recoverUploads } from './upload/recovery.ts';
import { createUploads } from './upload/uploads.ts';
import { v1Operations } from './v1/operations.ts';
import { v2Operations, v2Types } from './v2/operations.ts';
import type { V2Api } from './v2/parts.ts';
import { imageSchema } from './v2/schema.ts';
import { type ServedVersions, versionedPath, versionsDocument } from './versions.ts';

export interface ImageApiOptions {
  config: Config;
  world: World;
  /** The glance database. Version 2 and, without `registry`, version 1 work on it; absent: no version 2. */
  db: Database | null;
  /** A registry elsewhere; absent: its rules run here, on `db`. */
  registry?: Registry;
  /** Checks tokens; absent: no login, everybody is an administrator (the stock pipeline without keystone). */
  validator?: TokenValidator;
  policy?: Policy;
  /** Carries notifications when notifier_strategy is rabbit. */
  bus?: Bus;
  /** Where to listen; default bind_host and bind_port (9292). */
  listen?: { host: string; port: number };
  /** For tests: what came out of an operation that does not declare it. */
  undeclared?: Undeclared;
}

/** A running service that also tells what it serves. */
export interface RunningImageService extends RunningService {
  /** Every declared route, for documentation and generated tests. */
  routes: readonly RouteInfo[];
  /** Everything the API offers, with shapes. */
  operations: readonly MountedOperation[];
}

const IMAGE_API_PORT = 9292;

/** Starts glance-api: versions 1 and 2, stores, image cache, recovery of uploads cut off by a crash. */
export async function startImageApi(options: ImageApiOptions): Promise<RunningImageService> {
  const { config, db } = options;
  const world = { ...options.world, log: options.world.log.child({ service: 'glance-api' }) };
  const settings = config.of(imageOptions);
  const flavor = config.of(pasteOptions).flavor ?? (options.validator ? 'keystone+cachemanagement' : '');
  const served: ServedVersions = { v1: settings.enable_v1_api, v2: settings.enable_v2_api && db !== null };
  if (db) await checkSchema(db, 'glance');

  const { parts, journal } = await apiParts(options, world, flavor);
  const { fileDirectory } = parts.stores;

  const tls = configuredTls(config);
  const app = createApp({
    unavailable: isDatabaseAway,
    name: 'glance-api',
    world: options.world,
    requestIdHeader: 'x-openstack-request-id',
    renderFault: renderImageFault,
    rewritePath: (path, request) => versionedPath(path, request.headers.accept ?? '', served),
    authenticate: loginOf(options.validator, settings, world),
    checks: {
      registry: () => parts.registry.ping(),
      ...(db ? { database: () => db.ping() } : {}),
      ...(fileDirectory ? { images: () => requireRoom(fileDirectory) } : {}),
    },
    ...(tls ? { tls } : {}),
  });
  const { server } = app;
  server.decorateRequest('token', null);
  server.decorateRequest('image', null as never);

  server.addHook('onError', async request => discardUnreadBody(request));

  server.all('/*', { config: { name: 'versions', public: true } }, async (request, reply) =>
    reply.code(300).header('content-type', 'application/json').send(versionsDocument(request, served)),
  );
  await mountVersions(app, options, parts, { served, cacheManagement: /cachemanage/.test(flavor) });

  const at = options.listen ?? {
    host: settings.bind_host,
    port: settings.bind_port ?? IMAGE_API_PORT,
  };
  const address = await app.listen(at);
  world.log.info('listening', { address });
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await app.stop();
    await parts.uploads.stop();
    await parts.copies.stop();
    await parts.cache?.close();
    journal.close();
  };
  return {
    name: 'glance-api',
    addresses: [address],
    routes: app.routes,
    operations: operationsOf(app),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** What the operations work on, after the recovery of what a crash cut off. */
async function apiParts(
  options: ImageApiOptions,
  world: World,
  flavor: string,
): Promise<{ parts: ApiParts; journal: UploadJournal }> {
  const { config, db } = options;
  const settings = config.of(imageOptions);
  const cipher = settings.metadata_encryption_key
    ? locationCipher(settings.metadata_encryption_key, world.random)
    : null;
  const plainRegistry = options.registry ?? (db ? localRegistry({ db, world, limits: settings }) : null);
  if (!plainRegistry) throw new Error('glance-api needs a database or a registry');
  const stores = await openStores(config, world);
  const journal = await openJournal(config, stores.fileDirectory, world);
  const cached = /cach/.test(flavor) && settings.image_cache_dir !== null;
  const parts: ApiParts = {
    world,
    policy: options.policy ?? defaultPolicy(),
    registry: cipher ? encryptingRegistry(plainRegistry, cipher) : plainRegistry,
    db,
    cipher,
    stores,
    uploads: createUploads({ journal, world, sizeMax: settings.image_size_cap }),
    copies: createCopies(world),
    cache: cached ? await configuredCache(config, world) : null,
    scrubQueue: scrubQueue(settings.scrubber_datadir, settings.scrub_time),
    notifier: createNotifier(settings.notifier_strategy, {
      world,
      bus: options.bus ?? null,
      topic: settings.rabbit_notification_topic,
    }),
    settings,
  };
  if (db) await recoverUploads({ db, stores, journal, world, cipher, scrubQueue: parts.scrubQueue });
  return { parts, journal };
}

async function mountVersions(
  app: App,
  { config, db, undeclared }: ImageApiOptions,
  parts: ApiParts,
  { served, cacheManagement }: { served: ServedVersions; cacheManagement: boolean },
): Promise<void> {
  const { policy, settings } = parts;
  // What is below a version is there for those who have logged in, whether there is anything or not.
  for (const version of ['v1', 'v2'] as const) {
    if (!served[version]) continue;
    app.server.all(`/${version}/*`, { config: { name: `${version} unmatched` } }, async () => {
      throw httpFault(404);
    });
  }
  const v1 = imageFront({ domain: parts, prefix: '/v1', policy, undeclared });
  if (parts.cache && cacheManagement) mountOperations(app, cacheOperations, v1);
  if (served.v1) mountOperations(app, v1Operations, v1);
  if (!served.v2 || !db) return;
  const custom = await customProperties(config, parts.world);
  const schema = imageSchema(custom, settings.allow_additional_image_properties);
  const domain: V2Api = { ...parts, db, schema };
  const types = v2Types(settings);
  mountOperations(app, v2Operations, imageFront({ domain, prefix: '/v2', policy, types, undeclared }));
}

async function openJournal(
  config: Config,
  fileDirectory: string | null,
  world: World,
): Promise<UploadJournal> {
  const { upload_journal_dir, scrubber_datadir } = config.of(imageOptions);
  if (upload_journal_dir) return uploadJournal(upload_journal_dir, world);
  if (fileDirectory) return uploadJournal(join(fileDirectory, '.uploads'), world);
  const beside = join(dirname(scrubber_datadir), 'uploads');
  try {
    return await uploadJournal(beside, world);
  } catch (error) {
    world.log.warn('uploads cannot be noted, so that a restart will not clean up; set upload_journal_dir', {
      directory: beside,
      error,
    });
    return volatileJournal;
  }
}

/** Deployer-defined properties of the version 2 schema: `schema-image.json` beside a configuration file. */
async function customProperties(config: Config, world: World): Promise<Record<string, unknown> | null> {
  for (const file of config.files) {
    const path = join(file, '..', 'schema-image.json');
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) continue;
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch (error) {
      throw new Error(`${path} is not valid JSON: ${(error as Error).message}`);
    }
  }
  world.log.debug('no schema-image.json; the stock properties are used');
  return null;
}
