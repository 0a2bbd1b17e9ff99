import { hash } from 'node:crypto';
import { seededRandom, silentLogger, systemClock, type World } from '@folsom/core';
import { type RingData, ringOf } from '@folsom/ring';
import { parseConf, pathHash } from '@folsom/swift';
import {
  answer,
  createHttpServer,
  createInternalClient,
  type HttpServer,
  internalText,
  parseTarget,
  readAll,
  type ServerRequest,
  type ServerResponse,
} from '@folsom/swift-http';
import { startProxy } from './server.ts';

interface Stored {
  body: Buffer;
  headers: Map<string, string>;
}

/** A storage node of tests: keeps objects in memory, has any account and container, and fails on demand. */
export interface TestNode {
  port: number;
  objects: Map<string, Stored>;
  requests: { method: string; path: string; headers: Map<string, string> }[];
  /** Answers instead of the node; null lets the node answer. */
  intercept: ((request: ServerRequest) => ServerResponse | Promise<ServerResponse> | null) | null;
  /** What HEAD of a container tells besides. */
  containerHeaders: [string, string][];
  /** Closes its port, as a machine that went down. */
  down(): Promise<void>;
}

const world: World = { clock: systemClock, random: seededRandom(11), log: silentLogger };

async function startNode(): Promise<TestNode> {
  const node: TestNode = {
    port: 0,
    objects: new Map(),
    requests: [],
    intercept: null,
    containerHeaders: [],
    down: async () => {},
  };
  const handle = async (request: ServerRequest): Promise<ServerResponse> => {
    const { path } = parseTarget(request.target);
    const [, , , account, container, ...rest] = path.split('/');
    node.requests.push({ method: request.method, path, headers: request.headers });
    const intercepted = node.intercept?.(request);
    if (intercepted) return intercepted;
    if (!rest.length) {
      const known: [string, string][] = [
        ['x-put-timestamp', '1'],
        ['x-timestamp', '1'],
        ...(container ? node.containerHeaders : []),
      ];
      return answer(request.method === 'PUT' ? 201 : 204, request, { headers: known });
    }
    const name = `/${account}/${container}/${rest.join('/')}`;
    const stored = node.objects.get(name);
    if (request.method === 'PUT') {
      const body = await readAll(request.body, 1024 ** 3);
      const etag = hash('md5', body!, 'hex');
      node.objects.set(name, { body: body!, headers: new Map([...request.headers, ['etag', etag]]) });
      return answer(201, request, { headers: [['etag', etag]] });
    }
    if (request.method === 'DELETE') {
      node.objects.delete(name);
      return answer(stored ? 204 : 404, request);
    }
    if (!stored) return answer(404, request);
    const headers = new Map([
      ['etag', stored.headers.get('etag')!],
      ['x-timestamp', stored.headers.get('x-timestamp') ?? '1'],
      ['content-type', stored.headers.get('content-type') ?? 'text/plain'],
      ['last-modified', 'Thu, 27 Sep 2012 10:00:00 GMT'],
    ]);
    for (const [key, value] of stored.headers) if (key.startsWith('x-object-')) headers.set(key, value);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get('range') ?? '');
    const body = range ? stored.body.subarray(Number(range[1]), Number(range[2]) + 1) : stored.body;
    if (range) headers.set('content-range', `bytes ${range[1]}-${range[2]}/${stored.body.length}`);
    headers.set('content-length', String(body.length));
    return { status: range ? 206 : 200, headers, body };
  };
  const server: HttpServer = createHttpServer({ handler: handle, world });
  node.port = Number((await server.listen(0, '127.0.0.1')).split(':')[1]);
  node.down = () => server.close(0);
  return node;
}

const CONF = (app: string, filters: string) => `
[pipeline:main]
pipeline = catch_errors cache ${filters} proxy-server
[app:proxy-server]
use = egg:swift#proxy
${app}
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
[filter:ratelimit]
use = egg:swift#ratelimit
account_ratelimit = 2
max_sleep_time_seconds = 1
rate_buffer_seconds = 0
account_blacklist = black
[filter:name_check]
use = egg:swift#name_check
[filter:domain_remap]
use = egg:swift#domain_remap
[filter:cname_lookup]
use = egg:swift#cname_lookup
[filter:healthcheck]
use = egg:swift#healthcheck
`;

/** A proxy before test nodes, one replica on each of the first `replicas` of their devices, the others for handoff. */
export async function testProxy(
  options: {
    nodes?: number;
    /** Of each node; the first ones of all nodes come first. */
    devices?: number;
    replicas?: number;
    app?: string;
    filters?: string;
    cname?: Record<string, string>;
  } = {},
) {
  const { nodes: count = 3, devices: perNode = 1, replicas = 3 } = options;
  const nodes = await Promise.all(Array.from({ length: count }, startNode));
  const data: RingData = {
    devices: Array.from({ length: perNode }, () => nodes)
      .flat()
      .map(({ port }, id) => ({
        id,
        zone: id,
        ip: '127.0.0.1',
        port,
        device: `d${id}`,
        weight: 1,
        meta: '',
      })),
    partShift: 32,
    rows: Array.from({ length: replicas }, (_, id) => Uint16Array.of(id)),
  };
  const ring = ringOf(data);
  const undeclared = new Set<string>();
  const proxy = await startProxy({
    conf: parseConf(CONF(options.app ?? '', options.filters ?? '')),
    rings: { account: ring, container: ring, object: ring },
    pathHash: pathHash('test'),
    world,
    host: '127.0.0.1',
    port: 0,
    swiftDir: '/nonexistent',
    undeclared: (operation, status) => undeclared.add(`${operation}: ${status}`),
    resolveCname: async domain => {
      const name = options.cname?.[domain];
      return name === undefined ? null : { name, ttl: 10 };
    },
  });
  const client = createInternalClient(world);
  const port = Number(proxy.addresses[0]!.split(':')[1]);
  const ask = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Buffer | string,
  ) => {
    const response = await client.request(
      { ip: '127.0.0.1', port },
      {
        method,
        path,
        headers: Object.entries(headers),
        ...(body === undefined ? {} : { body: Buffer.from(body) }),
        connectTimeoutMs: 2000,
        timeoutMs: 20_000,
      },
    );
    const bytes = await internalText(response, 1024 ** 3);
    return { status: response.status, headers: response.headers, body: bytes, text: bytes.toString('utf8') };
  };
  return {
    nodes,
    port,
    ask,
    stop: async () => {
      client.close();
      await proxy.stop();
      await Promise.all(nodes.map(node => node.down()));
      if (undeclared.size > 0) throw new Error(`not declared: ${[...undeclared].join(', ')}`);
    },
  };
}
