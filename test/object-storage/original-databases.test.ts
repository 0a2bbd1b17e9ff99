import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { createDbFile } from '@folsom/container-db';
import { type RunningService, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { run } from '@folsom/host/run';
import { startAccountServer } from '@folsom/object-account';
import { startContainerServer } from '@folsom/object-container';
import { decodeRing, type Ring, ringOf } from '@folsom/ring';
import { pathHash } from '@folsom/swift';
import { createInternalClient, type InternalClient, internalText, quotePath } from '@folsom/swift-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const FIXTURES = fileURLToPath(new URL('../fixtures/swift/', import.meta.url));
const world = { clock: systemClock, random: systemRandom, log: silentLogger };
const hashes = pathHash('changeme');
const ringFile = (name: string): Ring => ringOf(decodeRing(readFileSync(join(FIXTURES, `${name}.ring.gz`))));
const rings = { account: ringFile('account'), container: ringFile('container') };

let root: string;
let servers: RunningService[];
let client: InternalClient;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'folsom-devices-'));
  await run(
    ['tar', '--xattrs', '--xattrs-include=user.*', '-xzf', join(FIXTURES, 'devices.tar.gz'), '-C', root],
    {
      timeoutMs: 60_000,
    },
  );
  const shared = {
    root,
    mountCheck: false,
    preallocate: false,
    pathHash: hashes,
    world,
    host: '127.0.0.1',
    port: 0,
    autoCreateAccountPrefix: '.',
  };
  servers = [
    await startAccountServer(shared),
    await startContainerServer({
      ...shared,
      allowVersions: true,
      allowedSyncHosts: [],
      connectTimeoutMs: 500,
      nodeTimeoutMs: 3000,
    }),
  ];
  client = createInternalClient(world);
});
afterAll(async () => {
  client.close();
  for (const server of servers) await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function ask(
  kind: 'account' | 'container',
  device: string,
  partition: number,
  method: string,
  path: string,
  headers: [string, string][] = [],
) {
  const port = Number(servers[kind === 'account' ? 0 : 1]!.addresses[0]!.split(':')[1]);
  const response = await client.request(
    { ip: '127.0.0.1', port },
    { method, path: `/${device}/${partition}${path}`, headers, connectTimeoutMs: 1000, timeoutMs: 5000 },
  );
  const text = (await internalText(response)).toString('utf8');
  return { status: response.status, headers: response.headers, text };
}

const expected = (name: string) =>
  JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as Record<string, unknown>[];
const containers = readdirSync(FIXTURES)
  .map(name => /^expected-(.+)\.json$/.exec(name)?.[1])
  .filter(name => name !== undefined)
  .map(name => ({ file: `expected-${name}.json`, name: decodeURIComponent(name.replaceAll('_', '%')) }));

const placeOf = (ring: Ring, account: string, container?: string) => {
  const partition = ring.partition(hashes.prefix(account, container));
  return { partition, nodes: ring.nodes(partition) };
};

describe('databases written by swift 1.7.4', () => {
  it('list the account as the original proxy did, on every device', async () => {
    const { partition, nodes } = placeOf(rings.account, 'AUTH_test');
    expect(nodes).toHaveLength(3);
    for (const { device } of nodes) {
      const listed = await ask('account', device, partition, 'GET', '/AUTH_test?format=json');
      expect(JSON.parse(listed.text)).toEqual(expected('expected.json'));
    }
  });

  it.each(containers)('list the container $name as the original proxy did', async ({ file, name }) => {
    const { partition, nodes } = placeOf(rings.container, 'AUTH_test', name);
    for (const { device } of nodes) {
      const listed = await ask(
        'container',
        device,
        partition,
        'GET',
        `${quotePath(`/AUTH_test/${name}`)}?format=json`,
      );
      expect(JSON.parse(listed.text)).toEqual(expected(file));
    }
  });

  it('give metadata and access lists back', async () => {
    const { partition, nodes } = placeOf(rings.container, 'AUTH_test', 'albums');
    const head = await ask('container', nodes[0]!.device, partition, 'HEAD', '/AUTH_test/albums');
    expect(head.headers.get('x-container-read')).toBe('.r:*,.rlistings');
    expect(head.headers.get('x-container-meta-genre')).toBeTruthy();
  });

  it('take new rows, keeping their hash and counts right', async () => {
    const { partition, nodes } = placeOf(rings.container, 'AUTH_test', 'albums');
    const { device } = nodes[0]!;
    const headers: [string, string][] = [
      ['X-Timestamp', '1999999999.00000'],
      ['X-Size', '7'],
      ['X-Content-Type', 'text/plain'],
      ['X-Etag', 'abc'],
    ];
    const before = Number(
      (await ask('container', device, partition, 'HEAD', '/AUTH_test/albums')).headers.get(
        'x-container-object-count',
      ),
    );
    expect((await ask('container', device, partition, 'PUT', '/AUTH_test/albums/new', headers)).status).toBe(
      201,
    );
    const after = await ask('container', device, partition, 'HEAD', '/AUTH_test/albums');
    expect(Number(after.headers.get('x-container-object-count'))).toBe(before + 1);
    expect(
      (
        await ask('container', device, partition, 'DELETE', '/AUTH_test/albums/new', [
          ['X-Timestamp', '1999999999.50000'],
        ])
      ).status,
    ).toBe(204);
    const again = await ask('container', device, partition, 'HEAD', '/AUTH_test/albums');
    expect(Number(again.headers.get('x-container-object-count'))).toBe(before);
  });

  it.each([
    ['account', 'AUTH_test', undefined],
    ['container', 'AUTH_test', 'albums'],
  ] as const)('have the tables that ours have (%s)', (kind, account, container) => {
    const { partition, nodes } = placeOf(rings[kind], account, container);
    const hash = hashes.hex(account, container);
    const original = join(
      root,
      nodes[0]!.device,
      `${kind}s`,
      String(partition),
      hash.slice(-3),
      hash,
      `${hash}.db`,
    );
    const ours = join(root, 'ours', `${kind}s`, '1', 'abc', hash, `${hash}.db`);
    createDbFile(ours, kind, { account, ...(container ? { container } : {}) }, '1', world);
    const shape = (path: string) => {
      const sqlite = new DatabaseSync(path, { readOnly: true });
      const items = sqlite
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
        .all() as unknown as {
        type: string;
        name: string;
        tbl_name: string;
        sql: string;
      }[];
      const columns = items
        .filter(({ type }) => type === 'table')
        .flatMap(({ name }) =>
          (
            sqlite.prepare(`PRAGMA table_info(${name})`).all() as unknown as {
              name: string;
              type: string;
              dflt_value: string | null;
              pk: number;
            }[]
          ).map(column => `${name}.${column.name} ${column.type} ${column.dflt_value} ${column.pk}`),
        );
      const texts = items
        .filter(({ type }) => type !== 'table')
        .map(
          ({ name, tbl_name, sql }) =>
            `${name} ${tbl_name} ${sql
              .toLowerCase()
              .replace(/[\s;]+/g, ' ')
              .replace(/ ?([(),]) ?/g, '$1')
              .trim()}`,
        );
      sqlite.close();
      return [...columns, ...texts].sort();
    };
    expect(shape(ours)).toEqual(shape(original));
  });
});
