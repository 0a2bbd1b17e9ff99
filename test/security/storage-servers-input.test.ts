import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { startAccountServer } from '@folsom/object-account';
import { operations as accountOperations } from '@folsom/object-account/operations';
import { startContainerServer } from '@folsom/object-container';
import { operations as containerOperations } from '@folsom/object-container/operations';
import { objectServerOptions, startObjectServer } from '@folsom/object-server';
import { operations as objectOperations } from '@folsom/object-server/operations';
import {
  BATCH_METHOD,
  confSection,
  pathHash,
  type Shape,
  type StorageOperation,
  shapeOf,
} from '@folsom/swift';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Every operation that the storage servers declare, with something wrong in every part of its path, its query, its headers and its
 * body: answered as declared, never with an error of ours, never with silence.
 */
type Operation = StorageOperation<unknown>;

const root = mkdtempSync(join(tmpdir(), 'storage-input-'));
const undeclared = new Set<string>();
const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const shared = {
  root,
  mountCheck: false,
  preallocate: false,
  pathHash: pathHash('changeme'),
  world,
  host: '127.0.0.1',
  port: 0,
  autoCreateAccountPrefix: '.',
  undeclared: (operation: string, what: string) => undeclared.add(`${operation}: ${what}`),
};
const SERVERS = {
  account: {
    operations: accountOperations as readonly Operation[], // An account that was deleted comes back whenever it is asked for.
    start: () => startAccountServer({ ...shared, delayReaping: 1e10 }),
  },
  container: {
    operations: containerOperations as readonly Operation[],
    start: () =>
      startContainerServer({
        ...shared,
        allowVersions: true,
        allowedSyncHosts: [],
        connectTimeoutMs: 50,
        nodeTimeoutMs: 1000,
      }),
  },
  object: {
    operations: objectOperations as readonly Operation[],
    start: () =>
      startObjectServer({
        ...shared,
        options: objectServerOptions(
          confSection({ devices: root, mount_check: 'false', conn_timeout: '0.05', node_timeout: '1' }),
        ),
      }),
  },
};
const started: Partial<Record<keyof typeof SERVERS, RunningService>> = {};

beforeAll(async () => {
  for (const kind of ['account', 'container', 'object'] as const) started[kind] = await SERVERS[kind].start();
});
afterAll(async () => {
  for (const service of Object.values(started)) await service.stop();
  rmSync(root, { recursive: true, force: true });
});

const LONG = 'x'.repeat(12_000);
/** As they stand in a header; those of a query are quoted besides. */
const VALUES = [
  '',
  '-1',
  '1e308',
  'NaN',
  '99999999999',
  '//',
  '..',
  '\0',
  '%00',
  '%ff',
  '\xff\xfe',
  '{"a": 1}',
  "*,';; DROP TABLE object; --",
  'bytes=5-2,0-,-0',
  LONG,
];
const NAMES = [
  '',
  '.',
  '..',
  '%2e%2e',
  '%2F',
  '%00',
  '%ff',
  '%',
  '%C3%BC',
  '/',
  '//x',
  "';--",
  'x'.repeat(256),
  'x'.repeat(3000),
];
const ARGUMENTS = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  'x',
  '\0',
  '..',
  [],
  [null],
  [{}],
  [[]],
  {},
  [{ name: 'x' }],
  [{ name: {}, created_at: 'never' }],
  '{"a": "b"}',
  '[',
  LONG,
];
const BODIES = [
  '',
  '{',
  '[]',
  'null',
  '5',
  '"x"',
  '{}',
  '[null]',
  '[[]]',
  '[{}]',
  '[["PUT"]]',
  '[[1,2,3]]',
  '[["PUT","/",{"a":1}]]',
  '\0',
  '\xff',
  LONG,
];

const GOOD: Readonly<Record<Shape, () => string>> = {
  text: () => 'x',
  time: () => stamp(),
  seconds: () => stamp(),
  size: () => '1',
  sum: () => '1',
  flag: () => 'true',
  date: () => 'Thu, 27 Sep 2012 10:00:00 GMT',
  tags: () => '*',
  range: () => 'bytes=0-1',
};
let second = 1_400_000_000;
/** Later than all before. */
const stamp = (): string => `${second++}.00000`;

const NAMED: Readonly<Record<string, string>> = {
  device: 'sda',
  partition: '7',
  account: 'a',
  container: 'c',
  object: 'o/p',
  hash: '0123456789abcdef0123456789abcdef',
  suffixes: 'abc-def',
};

/** What a good request would be; the end of an object lies ahead, and nobody is there to be told of it. */
function good({ path, headers = {} }: Operation): { path: string; headers: [string, string][] } {
  const own: Readonly<Record<string, string>> = {
    'x-delete-at': '9000000000',
    'x-delete-timestamp': '0',
    'x-object-manifest': 'c/o',
    'content-type': 'text/plain',
  };
  const left = new Set(['etag', 'x-copy-from', 'x-if-delete-at', 'x-container-sync-to']);
  return {
    path: path.replace(/:(\w+)[?+*]?/g, (_, name: string) => NAMED[name] ?? 'x'),
    headers: Object.entries(headers)
      .filter(
        ([name]) => !left.has(name) && !/-(host|device|partition)$/.test(name) && !/^(if-|range)/.test(name),
      )
      .map(
        ([name, field]) => [name.replace('*', 'a'), own[name] ?? GOOD[shapeOf(field)]()] as [string, string],
      ),
  };
}

/** Sends bytes as they are, and gives the status of what comes back. */
function send(
  port: number,
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[],
  body = 'x',
) {
  const bytes = Buffer.from(body, 'latin1');
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes.length}\r\n${lines}\r\n`;
  return new Promise<number>((resolve, reject) => {
    let got = '';
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.setTimeout(30_000, () => socket.destroy(new Error('silence')));
    socket.setEncoding('latin1');
    socket.on('data', text => (got += text));
    socket.on('error', reject);
    socket.on('close', () => resolve(Number(/^HTTP\/1\.[01] (\d+)/.exec(got)?.[1] ?? 0)));
    socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
  });
}

interface Bad {
  what: string;
  target: string;
  headers: readonly (readonly [string, string])[];
  body?: string;
}

/** Replaced where it is, or added. */
const withHeader = (headers: readonly (readonly [string, string])[], name: string, value: string) => [
  ...headers.filter(([other]) => other !== name),
  [name, value] as const,
];

function* badRequests(operation: Operation): Iterable<Bad> {
  yield* badPaths(operation);
  yield* badQueries(operation);
  yield* badHeaders(operation);
  yield* badTold(operation);
  if (operation.body !== undefined && operation.method !== 'PUT') yield* badBodies(operation);
}

function* badPaths(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const [name] of Object.entries(NAMED)) {
    if (!operation.path.includes(`:${name}`)) continue;
    for (const value of NAMES) {
      const target = operation.path.replace(/:(\w+)[?+*]?/g, (_, own: string) =>
        own === name ? value : (NAMED[own] ?? 'x'),
      );
      yield { what: `${name} ${value.slice(0, 20)}`, target, headers };
    }
  }
  for (const target of [
    `/${path}`,
    `${path}//`,
    path.replaceAll('/', '//'),
    '/',
    '//',
    `${path}?`,
    `${path}?&&==%`,
  ])
    yield { what: 'path', target, headers };
}

function* badQueries(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const name of Object.keys(operation.query ?? {})) {
    for (const value of VALUES) {
      const query = value.length > 8000 ? value.slice(0, 7000) : value;
      const raw = encodeURIComponent(query).replaceAll('%25', '%');
      yield { what: `?${name}=${value.slice(0, 20)}`, target: `${path}?${name}=${raw}`, headers };
    }
  }
}

function* badHeaders(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const declared of Object.keys(operation.headers ?? {})) {
    const name = declared.replace('*', 'a');
    yield { what: `no ${name}`, target: path, headers: headers.filter(([other]) => other !== name) };
    for (const value of VALUES)
      yield {
        what: `${name}: ${value.slice(0, 20)}`,
        target: path,
        headers: withHeader(headers, name, value),
      };
    if (declared.endsWith('*'))
      yield {
        what: `${declared} alone`,
        target: path,
        headers: withHeader(headers, declared.slice(0, -1), 'x'),
      };
  }
}

/** Whom to tell is three headers; one alone is nobody. */
function* badTold(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const prefix of ['x-account', 'x-container', 'x-delete-at']) {
    if (!Object.hasOwn(operation.headers ?? {}, `${prefix}-host`)) continue;
    for (const host of [
      '',
      ':',
      '127.0.0.1',
      '127.0.0.1:',
      '127.0.0.1:x',
      '127.0.0.1:99999',
      '127.0.0.1:-1',
      '[::1]:1',
      '\xff:1',
    ])
      yield {
        what: `${prefix}-host: ${host}`,
        target: path,
        headers: [
          ...headers,
          [`${prefix}-host`, host],
          [`${prefix}-partition`, '7'],
          [`${prefix}-device`, 'sda'],
        ],
      };
    yield {
      what: `${prefix}-device`,
      target: path,
      headers: [
        ...headers,
        [`${prefix}-host`, '127.0.0.1:1'],
        [`${prefix}-partition`, '\xff/../?'],
        [`${prefix}-device`, '\xff//'],
      ],
    };
  }
}

function* badBodies(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const body of BODIES) yield { what: `body ${body.slice(0, 20)}`, target: path, headers, body };
  yield* operation.method === BATCH_METHOD ? badBatches(operation) : badReplications(operation);
}

function* badBatches(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const value of VALUES.map(text => text.slice(0, 3000))) {
    const items = [
      ['PUT', value, {}],
      [value, '/sda/7/a/c/o', {}],
      [
        'PUT',
        '/sda/7/a/c/o',
        { 'x-timestamp': value, 'x-size': value, 'x-etag': value, 'x-content-type': value },
      ],
      ['PUT', '/sda/7/a/c/o', { [value]: 'x' }],
    ];
    yield { what: `batch of ${value.slice(0, 20)}`, target: path, headers, body: JSON.stringify(items) };
  }
}

function* badReplications(operation: Operation): Iterable<Bad> {
  const { path, headers } = good(operation);
  for (const verb of [
    'sync',
    'merge_items',
    'merge_syncs',
    'complete_rsync',
    'rsync_then_merge',
    'create',
    'x',
    ...ARGUMENTS,
  ]) {
    for (const argument of typeof verb === 'string' && verb.length > 3 ? ARGUMENTS : [null]) {
      for (const count of [1, 7])
        yield {
          what: `${String(verb).slice(0, 20)} ${JSON.stringify(argument).slice(0, 20)} × ${count}`,
          target: path,
          headers,
          body: JSON.stringify([verb, ...Array(count).fill(argument)]),
        };
    }
  }
}

/** Requests under way at once. */
const TOGETHER = 8;

describe.each(['account', 'container', 'object'] as const)('%s server', kind => {
  const { operations } = SERVERS[kind];
  /** So that there is something to be asked for. */
  const fill = async (port: number) => {
    for (const operation of operations.filter(({ method }) => method === 'PUT')) {
      const { path, headers } = good(operation);
      const status = await send(port, 'PUT', path, headers);
      expect([operation.name, status, operation.answers.includes(status)]).toEqual([
        operation.name,
        status,
        true,
      ]);
    }
    for (const operation of operations.filter(({ method }) => method === 'REPLICATE')) {
      const { path } = good(operation);
      if (kind !== 'object')
        await send(
          port,
          'REPLICATE',
          path,
          [],
          JSON.stringify(['create', 'a', ...(kind === 'container' ? ['c'] : [null]), stamp()]),
        );
    }
  };

  it.each(operations.map(operation => [operation.name, operation] as const))('%s', async (_, operation) => {
    const port = Number(started[kind]!.addresses[0]!.split(':').at(-1));
    await fill(port);
    const failed: string[] = [];
    const requests = [...badRequests(operation)];
    const ask = async ({ what, target, headers, body }: Bad) => {
      const status = await send(port, operation.method, target, headers, body).catch(String);
      if (typeof status === 'string' || status < 200 || status >= 500) failed.push(`${what}: ${status}`);
    };
    for (let at = 0; at < requests.length; at += TOGETHER)
      await Promise.all(requests.slice(at, at + TOGETHER).map(ask));
    expect(requests.length).toBeGreaterThan(7);
    expect(failed).toEqual([]);
    expect([...undeclared]).toEqual([]);
    await fill(port);
  });
});
