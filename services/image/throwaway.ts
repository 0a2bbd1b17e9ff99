import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { staticValidator, type TokenInfo, type TokenValidator } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { createLogger, type RunningService, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import { startImageApi } from './api.ts';
import type { Undeclared } from './operation.ts';
import { imageDeclarations } from './options.ts';
import { startRegistry } from './registry/app.ts';
import { remoteRegistry } from './registry/remote.ts';

/** For tests: an image service on free ports and in a directory of its own. */
export interface Throwaway {
  /** `http://127.0.0.1:PORT` of the API and of the registry. */
  api: string;
  registry: string;
  directory: string;
  /** Where the file store keeps images. */
  images: string;
  db: Database;
  /** `operation: fault` of what operations have thrown without declaring it. */
  undeclared: ReadonlySet<string>;
  /** Every declared route of API and registry. */
  routes: { to: 'api' | 'registry'; method: string; path: string }[];
  /** Every line logged so far. */
  log(): string;
  /** Names of the image files there are. */
  files(): Promise<string[]>;
  /** A request as `user`; a body that is no text or bytes is sent as JSON. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Stops the services, keeps the directory, and starts them again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface CallOptions {
  /** One of `admin`, `alice`, `bob`, or null for no token. */
  user?: string | null;
  headers?: Record<string, string>;
  body?: unknown;
  to?: 'api' | 'registry';
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they sent
  json: () => any;
}

export interface ThrowawayOptions {
  image?: Record<string, string | number | boolean>;
  policy?: Policy;
  bus?: Bus;
  /** Connection string; default: SQLite in the directory. */
  connection?: string;
  /** The API asks the registry over HTTP. */
  remote?: boolean;
  flavor?: string;
  users?: Record<string, Partial<TokenInfo>>;
  /** Users whose tokens have ended; may grow. */
  ended?: ReadonlySet<string>;
  world?: Partial<World>;
}

/** Tokens are the users' names; alice and bob belong to tenants of their own. */
const USERS: Record<string, Partial<TokenInfo>> = {
  admin: { userId: 'user-admin', tenantId: 'tenant-admin', roles: ['admin'] },
  alice: { userId: 'user-alice', tenantId: 'tenant-alice', roles: ['Member'] },
  bob: { userId: 'user-bob', tenantId: 'tenant-bob', roles: ['Member'] },
};

export async function startThrowaway(options: ThrowawayOptions = {}): Promise<Throwaway> {
  const directory = await mkdtemp(join(tmpdir(), 'folsom-image-'));
  const lines: string[] = [];
  const world: World = {
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'debug', write: line => lines.push(line) }),
    ...options.world,
  };
  const images = join(directory, 'images');
  const db = await openDatabase({
    connection: options.connection ?? `sqlite:///${join(directory, 'glance.sqlite')}`,
  });
  await dbSync(db, 'glance');
  const config = configFrom(imageDeclarations, {
    DEFAULT: {
      filesystem_store_datadir: images,
      image_cache_dir: join(directory, 'cache'),
      scrubber_datadir: join(directory, 'scrubber'),
      external_source_networks: '127.0.0.0/8',
      ...options.image,
    },
    paste_deploy: { flavor: options.flavor ?? 'keystone+cachemanagement' },
  });
  const known = staticValidator({ ...USERS, ...options.users });
  const validator: TokenValidator = {
    validate: async token => (options.ended?.has(token) ? null : known.validate(token)),
  };
  const listen = { host: '127.0.0.1', port: 0 };
  const found = new Set<string>();
  const undeclared: Undeclared = (fault, operation) => found.add(`${operation.name}: ${fault.name}`);
  let running: RunningService[] = [];
  const start = async () => {
    const registry = await startRegistry({ config, world, db, validator, listen, undeclared });
    running.push(registry);
    const [host = '', port] = registry.addresses[0]!.split(':');
    const api = await startImageApi({
      config,
      world,
      db,
      validator,
      listen,
      undeclared,
      ...(options.policy ? { policy: options.policy } : {}),
      ...(options.bus ? { bus: options.bus } : {}),
      ...(options.remote ? { registry: remoteRegistry({ host, port: Number(port), protocol: 'http' }) } : {}),
    });
    running.push(api);
    made.api = `http://${api.addresses[0]}`;
    made.registry = `http://${registry.addresses[0]}`;
    made.routes = [
      ...api.routes.map(route => ({ ...route, to: 'api' as const })),
      ...registry.routes.map(route => ({ ...route, to: 'registry' as const })),
    ];
  };
  const stopServices = async () => {
    for (const service of running.reverse()) await service.stop();
    running = [];
  };
  const made: Throwaway = {
    api: '',
    registry: '',
    directory,
    images,
    db,
    undeclared: found,
    routes: [],
    log: () => lines.join(''),
    files: async () => (await readdir(images)).filter(name => !name.startsWith('.')).sort(),
    call: async (method, path, { user = 'alice', headers = {}, body, to = 'api' } = {}) => {
      const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
      const response = await fetch(made[to] + path, {
        method,
        headers: {
          accept: 'application/json',
          ...(user === null ? {} : { 'x-auth-token': user }),
          ...(raw ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
        redirect: 'manual',
        signal: AbortSignal.timeout(30_000),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: (): unknown => JSON.parse(text),
      };
    },
    restart: async () => {
      await stopServices();
      await start();
    },
    stop: async () => {
      await stopServices();
      await db.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await start();
  return made;
}

/** Headers of a version 1 image with formats. */
export const imageHeaders = (fields: Record<string, string> = {}): Record<string, string> => ({
  'content-type': 'application/octet-stream',
  ...Object.fromEntries(
    Object.entries({ name: 'test', disk_format: 'raw', container_format: 'bare', ...fields }).map(
      ([name, value]) => [`x-image-meta-${name}`, value],
    ),
  ),
});
