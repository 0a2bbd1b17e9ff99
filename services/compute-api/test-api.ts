import { staticValidator } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { type Clock, createLogger, seededRandom, systemClock, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { novaFault, novaFaultStatus } from '@folsom/nova/faults';
import type { ImageClient } from '@folsom/nova/image-client';
import { networkFault } from '@folsom/nova/network-faults';
import { novaOptions } from '@folsom/nova/options';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { createLocalBus, type Handler, type LocalBus } from '@folsom/rpc';
import { type ComputeApi, startComputeApi } from './compute-api.ts';
import { novaPolicy } from './default-policy.ts';
import type { RateLimit } from './openstack/http/rate-limits.ts';

/** What the services behind the API answer unless a test says otherwise. */
const ANSWERS: Record<string, Handler> = {
  'compute.get_console_output': () => 'console\n',
  'compute.get_vnc_console': () => ({
    token: 'token',
    access_url: 'http://127.0.0.1:6080/vnc_auto.html?token=token',
    host: 'node1',
    port: 5900,
    internal_access_path: null,
  }),
  'compute.get_diagnostics': () => ({ memory: 512 }),
  'compute.set_host_enabled': () => 'enabled',
  'compute.host_maintenance_mode': () => 'on_maintenance',
  'compute.host_power_action': () => 'startup',
  'compute.get_host_uptime': () => 'up 1 day',
  'cert.fetch_ca': () => 'certificate',
  'cert.generate_x509_cert': () => ['key', 'certificate'],
  'network.get_all_networks': () => [],
  'network.get_network': () => {
    throw novaFault('NetworkNotFound', { network_id: 'x' });
  },
  'network.create_networks': () => [{ uuid: 'x', label: 'x' }],
  'network.allocate_floating_ip': () => {
    throw networkFault('NoMoreFloatingIps');
  },
  'network.get_dns_domains': () => [],
  'network.get_dns_entries_by_address': () => [],
  'network.get_dns_entries_by_name': () => [],
  'network.associate_floating_ip': () => {
    throw networkFault('FloatingIpNotFoundForAddress', { address: 'x' });
  },
};

/** A compute API with nothing behind it but a bus that notes what it is told; for tests. */
export interface TestApi {
  url: string;
  db: Database;
  bus: LocalBus;
  api: ComputeApi;
  images: Map<string, ImageWire>;
  imageClient: ImageClient;
  /** Every message as `topic.method`, with its arguments. */
  messages: { to: string; args: Record<string, unknown> }[];
  /** Lines of the log. */
  log: string[];
  /** Requests as a user of `demo`; `admin: true` as the administrator. */
  call(method: string, path: string, options?: CallOptions): Promise<TestAnswer>;
  /** `operation: fault` for every fault that an operation threw without declaring it. */
  undeclared: ReadonlySet<string>;
  stop(): Promise<void>;
}

export interface CallOptions {
  body?: unknown;
  /** Sent as it stands. */
  raw?: string | Uint8Array;
  headers?: Record<string, string>;
  admin?: boolean;
  token?: string;
  timeoutMs?: number;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json: any;
}

export const IMAGE = '22e03ebe-e1fd-41f9-b59e-9a411e9e2780';
export const DEMO = 'd'.repeat(32);
export const ADMIN = 'a'.repeat(32);
export const OTHER = 'e'.repeat(32);

export const TOKENS = {
  demo: { userId: 'user-demo', userName: 'demo', tenantId: DEMO, tenantName: 'demo', roles: ['Member'] },
  admin: { userId: 'user-admin', userName: 'admin', tenantId: ADMIN, tenantName: 'admin', roles: ['admin'] },
  other: { userId: 'user-other', userName: 'other', tenantId: OTHER, tenantName: 'other', roles: ['Member'] },
};

export const testImage = (id: string, fields: Partial<ImageWire> = {}): ImageWire => ({
  id,
  name: 'cirros',
  status: 'active',
  size: 14,
  checksum: null,
  disk_format: 'ami',
  container_format: 'ami',
  min_disk: 0,
  min_ram: 0,
  owner: null,
  is_public: true,
  created_at: '2012-09-27T10:00:00.000000',
  updated_at: null,
  deleted_at: null,
  deleted: false,
  properties: {},
  ...fields,
});

function imagesIn(store: Map<string, ImageWire>): ImageClient {
  const get = (id: string): ImageWire => {
    const image = store.get(id);
    if (!image) throw novaFault('ImageNotFound', { image_id: id });
    return structuredClone(image);
  };
  let serial = 0;
  return {
    show: async (_context, id) => get(id),
    list: async () => [...store.values()],
    create: async (_context, image, data) => {
      serial += 1;
      const id = `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`;
      store.set(id, testImage(id, { status: data === 'none' ? 'active' : 'queued', ...image }));
      return get(id);
    },
    update: async (_context, id, image) => {
      store.set(id, { ...get(id), ...image });
      return get(id);
    },
    delete: async (_context, id) => {
      get(id);
      store.delete(id);
    },
  };
}

/** Notes every message, and answers calls. */
async function answerAll(
  bus: LocalBus,
  messages: TestApi['messages'],
  answers: Readonly<Record<string, Handler>>,
): Promise<void> {
  for (const topic of ['scheduler', 'compute', 'network', 'volume', 'consoleauth', 'cert']) {
    const handlers = new Proxy({} as Record<string, Handler>, {
      has: () => true,
      getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true, value: undefined }),
      get: (_target, method) => (context: never, args: never) => {
        const name = `${topic}.${String(method)}`;
        messages.push({ to: name, args });
        return (answers[name] ?? ANSWERS[name])?.(context, args) ?? null;
      },
    });
    await bus.serve({ topic, host: 'node1', handlers });
  }
}

export async function startTestApi(
  options: {
    nova?: Record<string, string | number | boolean>;
    rateLimits?: RateLimit[];
    connection?: string;
    /** Default: the system's. */
    clock?: Clock;
    /** Two services on one database must not make the same ids. */
    seed?: number;
    /** Answers of calls, by `topic.method`. */
    answers?: Record<string, Handler>;
    /** Which API; default the compute API. */
    start?: typeof startComputeApi;
    /** Folders of extensions; default the service's own. */
    extensions?: readonly URL[];
  } = {},
): Promise<TestApi> {
  const log: string[] = [];
  const world: World = {
    clock: options.clock ?? systemClock,
    random: seededRandom(options.seed ?? 4),
    log: createLogger({ level: 'debug', write: line => log.push(line) }),
  };
  const db = await openDatabase({ connection: options.connection ?? 'sqlite://' });
  await dbSync(db, 'nova');
  const bus = createLocalBus(world, { faultStatus: novaFaultStatus });
  const messages: TestApi['messages'] = [];
  await answerAll(bus, messages, options.answers ?? {});
  const images = new Map([[IMAGE, testImage(IMAGE)]]);
  const undeclared = new Set<string>();
  const { start = startComputeApi } = options;
  const mount = start === startComputeApi ? 'v2' : 'v1';
  const imageClient = imagesIn(images);
  const api = await start({
    config: configFrom([novaOptions], {
      DEFAULT: {
        osapi_compute_listen: '127.0.0.1',
        osapi_compute_listen_port: 0,
        osapi_volume_listen: '127.0.0.1',
        osapi_volume_listen_port: 0,
        api_rate_limit: false,
        ...options.nova,
      },
    }),
    database: db,
    bus,
    validator: staticValidator(TOKENS),
    policy: novaPolicy(),
    world,
    images: imageClient,
    ...(options.rateLimits ? { rateLimits: options.rateLimits } : {}),
    ...(options.extensions ? { extensions: options.extensions } : {}),
    // The HTTP layer's own refusals have no name in a catalogue.
    undeclared: ({ name }, operation) => {
      if (!name.startsWith('HTTP')) undeclared.add(`${operation.name}: ${name}`);
    },
  });
  const url = `http://${api.addresses[0]}`;
  return {
    url,
    db,
    bus,
    api,
    images,
    imageClient,
    messages,
    log,
    undeclared,
    async call(method, path, { body, raw, headers, admin, token, timeoutMs = 60_000 } = {}) {
      const who = token ?? (admin ? 'admin' : 'demo');
      const tenant = TOKENS[who as keyof typeof TOKENS]?.tenantId ?? DEMO;
      const target = path.startsWith('/') ? path : `/${mount}/${tenant}/${path}`;
      const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await fetch(`${url}${target}`, {
        method,
        redirect: 'manual',
        headers: {
          'x-auth-token': who,
          accept: 'application/json',
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(payload === undefined ? {} : { body: payload as string }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch {
        json = undefined;
      }
      return { status: response.status, headers: response.headers, text, json };
    },
    async stop() {
      await api.stop();
      await bus.close();
      await db.close();
    },
  };
}

/** The body of a plain boot. */
export const bootBody = (more: Record<string, unknown> = {}) => ({
  server: { name: 'vm', imageRef: IMAGE, flavorRef: '1', ...more },
});

/** Makes an instance look as the agent leaves it after a boot. */
export async function makeActive(test: TestApi, uuid: string, host = 'node1'): Promise<void> {
  await test.db
    .knex('instances')
    .where({ uuid })
    .update({ vm_state: 'active', task_state: null, power_state: 1, host });
}
