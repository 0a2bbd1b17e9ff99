import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Random, seededRandom } from '@folsom/core';
import type { PortName } from '@folsom/deploy/folsom/layout';
import { startThrowaway } from '@folsom/image/testing';
import { addressRule, anyAddress, userDoor } from '@folsom/outbound';
import { type AttackedCloud, eachOf, loginOf, startAttackedCloud } from './cloud.ts';
import type { Part } from './part.ts';

/** Names of this machine and of inner networks, in every spelling that something may take for them. */
const HOSTS = [
  '127.0.0.1', '127.0.0.2', '127.1', '127.0.1', 'localhost', 'LOCALHOST', 'localhost.', 'a.localhost', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001',
  '127.0.0.1.', '①②⑦.⓪.⓪.①', '127。0。0。1', '%31%32%37.0.0.1', '0.0.0.0', '0', '0x0', '[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]',
  '[::127.0.0.1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[fe80::1]', '[fd00:ec2::254]', '169.254.169.254', '2852039166', '10.0.0.1', '192.168.0.1', '172.16.0.1', '100.64.0.1',
]; // biome-ignore format: a table
const BEFORE = [
  '',
  'user:pass@',
  'example.org@',
  '8.8.8.8:80@',
  'example.org%40',
  'example.org\\@',
  'example.org#@',
];
const SCHEMES = [
  'http',
  'https',
  'HTTP',
  'swift+http',
  'swift',
  'swift+https',
  's3',
  's3+http',
  'file',
  'filesystem',
  'ftp',
  'gopher',
  'rbd',
  'jar:http',
];

/** A target that nobody may be sent to; `mark` stands in its path. */
function target(random: Random, ports: readonly number[], mark: string): string {
  const pick = <T>(items: readonly T[]): T => items[random.int(items.length)]!;
  const scheme = random.int(3) > 0 ? 'http' : pick(SCHEMES);
  const before = /^(swift|s3)/.test(scheme) ? 'tenant%3Auser:key@' : random.int(3) > 0 ? '' : pick(BEFORE);
  return `${scheme}://${before}${pick(HOSTS)}:${pick(ports)}/v1/${mark}/o`;
}

interface Way {
  name: string;
  send(cloud: AttackedCloud, url: string, admin: boolean): Promise<{ status: number; text: string }>;
}

const image = (name: string, headers: (url: string) => Record<string, string>): Way => ({
  name: `image ${name}`,
  send: (cloud, url, admin) =>
    cloud.ask('image', 'POST', '/v1/images', {
      token: (admin ? cloud.admin : cloud.alice).token,
      headers: {
        'x-image-meta-name': 'door', 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare',
        ...headers(Buffer.from(url, 'utf8').toString('latin1')),
      },
    }),
}); // biome-ignore format: one header a line says no more

const swift = (name: string, method: string, path: string, header: string): Way => ({
  name: `object ${name}`,
  send: (cloud, url) =>
    cloud.ask('objectProxy', method, `/v1/AUTH_${cloud.alice.tenant}${path}`, {
      token: cloud.alice.token,
      headers: { [header]: Buffer.from(url, 'utf8').toString('latin1'), 'x-container-sync-key': 'key' },
    }),
});

/** Through the web console, with somebody's login: `path` is what stands behind `/api/cloud/`. */
const page = (
  name: string,
  method: string,
  path: (url: string) => string,
  more: (url: string) => { headers?: Record<string, string>; body?: unknown } = () => ({}),
): Way => ({
  name: `console ${name}`,
  send: (cloud, url, admin) => {
    const sent = more(Buffer.from(url, 'utf8').toString('latin1'));
    const target = Buffer.from(path(url), 'utf8').toString('latin1');
    const { headers } = loginOf('consoleWeb', admin ? cloud.admin : cloud.alice);
    return cloud.ask('consoleWeb', method, target, { ...sent, headers: { ...headers, ...sent.headers } });
  },
});

const compute = (name: string, body: (url: string) => unknown, path = 'servers'): Way => ({
  name: `compute ${name}`,
  send: (cloud, url, admin) => {
    const { token, tenant } = admin ? cloud.admin : cloud.alice;
    return cloud.ask('compute', 'POST', `/v2/${tenant}/${path}`, { token, body: body(url) });
  },
});

const IMAGE = {
  'x-image-meta-name': 'door',
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
};
/** As a target may hold it: blanks and the like would be no request. */
const asTarget = (url: string): string => url.replace(/[\s%]/g, encodeURIComponent);

/** Everything that takes a text which somebody may take for a place to go to. */
const WAYS: readonly Way[] = [
  image('location', url => ({ 'x-image-meta-location': url, 'x-image-meta-size': '10' })),
  image('location without a size', url => ({ 'x-image-meta-location': url })),
  image('copy source', url => ({ 'x-glance-api-copy-from': url })),
  image('copy source and store', url => ({ 'x-glance-api-copy-from': url, 'x-image-meta-store': 'http' })),
  swift('sync target', 'PUT', '/synced', 'x-container-sync-to'),
  swift('copy source', 'PUT', '/synced/o', 'x-copy-from'),
  swift('manifest', 'PUT', '/synced/m', 'x-object-manifest'),
  swift('versions', 'PUT', '/synced', 'x-versions-location'),
  swift('destination', 'COPY', '/synced/m', 'destination'),
  swift('host', 'GET', '/synced', 'host'),
  compute('image', url => ({ server: { name: 'door', imageRef: url, flavorRef: '1' } })),
  compute('image of a uuid', url => ({ server: { name: 'door', imageRef: `${url}/22e03ebe-e1fd-41f9-b59e-9a411e9e2780`, flavorRef: '1' } })),
  compute('flavor', url => ({ server: { name: 'door', imageRef: '22e03ebe-e1fd-41f9-b59e-9a411e9e2780', flavorRef: url } })),
  page('image location', 'POST', () => '/api/cloud/image/v1/images', url => ({ headers: { ...IMAGE, 'x-image-meta-location': url } })),
  page('image copy source', 'POST', () => '/api/cloud/image/v1/images', url => ({ headers: { ...IMAGE, 'x-glance-api-copy-from': url } })),
  page('sync target', 'PUT', () => '/api/cloud/object-store/synced', url => ({ headers: { 'x-container-sync-to': url } })),
  page('place behind a service', 'GET', url => `/api/cloud/compute/${asTarget(url)}`),
  page('place instead of a service', 'GET', url => `/api/cloud/${asTarget(url)}/x`),
  page('name behind an endpoint', 'GET', url => `/api/cloud/identity/@${asTarget(url.replace(/^[^/]*\/\//, ''))}`),
  page('project', 'PUT', () => '/api/session/project', url => ({ body: { id: url } })),
  page('temporary URL', 'POST', () => '/api/temp-urls', url => ({ body: { container: url, object: `../../${url}`, method: 'GET', hours: '1' } })),
  page('host', 'GET', () => '/api/cloud/compute/servers', url => ({ headers: { host: url.replace(/^[^/]*\/\//, '').split('/')[0]!, 'x-forwarded-host': url } })),
  compute('cloudpipe', url => ({ cloudpipe: { project_id: url } }), 'os-cloudpipe'),
]; // biome-ignore format: a table

/** A server of somebody else on this machine, which notes what comes and redirects as its path says. */
async function canary(): Promise<{ server: Server; port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const to = /^\/to\/(.*)$/.exec(request.url ?? '')?.[1];
    if (to)
      response.writeHead(302, { location: Buffer.from(decodeURIComponent(to)).toString('latin1') }).end();
    else response.end('canary');
  });
  await new Promise<void>(resolve => server.listen(0, '0.0.0.0', resolve));
  return { server, port: (server.address() as AddressInfo).port, asked };
}

/** Requests in a log that came for what a target names. Names of objects within an account may be anything. */
const reached = (lines: readonly string[]): string[] =>
  lines.filter(line => /"path":"\/v1\/door-mark-/.test(line) && line.includes('"message":"request"'));

/** Whether a URL means another host than it seems to: `\\` is a slash, `#` ends the address. */
const isOutside = (url: string): boolean => /example\.org[\\#]@/.test(url);

/** With loopback opened by the operator: other servers may be fetched from, our own listeners never, redirects included. */
async function opened(random: Random, count: number, problems: string[]): Promise<void> {
  const throwaway = await startThrowaway();
  const other = await canary();
  try {
    const own = [throwaway.api, throwaway.registry].map(url => Number(new URL(url).port));
    const control = await throwaway.call('POST', '/v1/images', {
      headers: { 'x-image-meta-name': 'a', 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare', 'x-image-meta-location': `http://127.0.0.1:${other.port}/control` },
    }); // biome-ignore format: one header a line says no more
    if (control.status !== 201 || other.asked.length === 0)
      problems.push(`what is opened cannot be fetched: ${control.status}`);
    await eachOf(Array.from({ length: count }).keys(), 4, async n => {
      const inner = target(random, own, `door-mark-${n}`);
      const url = n % 2 === 0 ? inner : `http://127.0.0.1:${other.port}/to/${encodeURIComponent(inner)}`;
      const name = n % 3 === 0 ? 'x-glance-api-copy-from' : 'x-image-meta-location';
      const answer = await throwaway.call('POST', '/v1/images', {
        headers: { 'x-image-meta-name': 'a', 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare', [name]: Buffer.from(url).toString('latin1') },
      }); // biome-ignore format: one header a line says no more
      if (answer.status >= 500)
        problems.push(`${name} ${url}: ${answer.status} ${answer.text.slice(0, 200)}`);
    });
    const { length } = reached(throwaway.log().split('\n'));
    if (length > 0) problems.push(`a listener of our own was reached ${length} times with loopback opened`);
  } finally {
    other.server.closeAllConnections();
    other.server.close();
    await throwaway.stop();
  }
}

/** Names that mean an inner address, or mean it the second time, at the door itself. */
async function names(random: Random, count: number, port: number, problems: string[]): Promise<void> {
  const inner = ['127.0.0.1', '::1', '10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', '0.0.0.0'];
  await eachOf(Array.from({ length: count }).keys(), 8, async n => {
    let questions = 0;
    const bad = inner[random.int(inner.length)]!;
    const door = userDoor({
      addresses: n % 3 === 0 ? anyAddress : addressRule([], 'networks'),
      ...(n % 3 === 0 ? { hosts: ['listed.example'] } : {}),
      resolve: async () => {
        questions += 1;
        const found = { address: bad, family: bad.includes(':') ? 6 : 4 } as const;
        return n % 2 === 0 || questions > 1 ? [{ address: '203.0.113.9', family: 4 }, found] : [found];
      },
      limits: { connectMs: 200, answerMs: 200 },
    });
    const sent = await door
      .request(`http://name${n}.example:${port}/door-mark-name-${n}`, { method: 'GET' })
      .catch(error => error);
    if (sent.name !== 'OutboundRefused')
      problems.push(`a name that means ${bad}: ${sent.name ?? sent.status}`);
    await door.close();
  });
}

/** All ways to name our own listeners and inner targets, through everything that takes a place to go to. */
export const part: Part = {
  name: 'door',
  share: 12,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    const other = await canary();
    const problems: string[] = [];
    const tally: Record<string, number> = {};
    const log: string[] = [];
    try {
      const ports = [
        ...(Object.keys(cloud.ports) as PortName[]).map(name => cloud.ports[name]),
        other.port,
        22,
        80,
      ];
      const through = Math.ceil(count * 0.6);
      await eachOf(Array.from({ length: through }).keys(), 6, async n => {
        const way = WAYS[n % WAYS.length]!;
        const url = target(random, ports, `door-mark-${n}`);
        const { status, text } = await way.send(cloud, url, random.int(2) === 0);
        tally[`${Math.floor(status / 100)}xx`] = (tally[`${Math.floor(status / 100)}xx`] ?? 0) + 1;
        if (status >= 500 && status !== 501)
          problems.push(`${way.name} ${url}: ${status} ${text.slice(0, 200)}`);
        if (/image|sync/.test(way.name) && !way.name.startsWith('compute') && status < 300 && !isOutside(url))
          problems.push(`${way.name} ${url}: accepted with ${status}`);
        log.push(...reached(cloud.takeLog()));
      });
      await opened(random, Math.ceil(count * 0.2), problems);
      await names(random, Math.floor(count * 0.2), other.port, problems);
      log.push(...reached(cloud.takeLog()));
      for (const line of log) problems.push(`reached: ${line.slice(0, 400)}`);
      for (const url of other.asked) problems.push(`a server on this machine was asked for ${url}`);
      if (problems.length > 0)
        throw new Error(`seed ${seed}, ${problems.length} problems:\n${problems.slice(0, 30).join('\n')}`);
      report(
        `door: ${count} targets through ${WAYS.length} ways, redirects and names, seed ${seed}: ${JSON.stringify(tally)}`,
      );
      return count;
    } finally {
      other.server.closeAllConnections();
      other.server.close();
      await cloud.stop();
    }
  },
};
