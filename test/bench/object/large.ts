import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dropCache } from '@folsom/host/xattr';
import type { BenchTools } from '../run.ts';
import { Wire } from './load.ts';
import { md5Rate, type StaticServer, writeLarge } from './references.ts';
import { costs, sized } from './rows.ts';
import type { BenchServers } from './servers.ts';

type Print = (line: string) => void;

const CHUNK = Buffer.alloc(2 ** 20, 'z');

/** One very large object there and back; both ways from and to the disk, not the page cache. */
export async function large(
  print: Print,
  servers: BenchServers,
  options: {
    bytes: number;
    replicas: number;
    folder: string;
    fileServer: StaticServer;
    tools: BenchTools;
  },
): Promise<void> {
  const { bytes, replicas, folder, fileServer } = options;
  const { headers } = servers;
  const path = `${servers.path}/bench/large`;
  const md5 = md5Rate();
  const disk = await writeLarge(folder, bytes, replicas);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, servers.memory());
  }, 250);
  const timed = async (port: number, work: (wire: Wire) => Promise<{ status: number }>) => {
    const cpu = servers.cpuSeconds();
    const before = servers.cpuByProgram();
    const wire = await Wire.open('127.0.0.1', port);
    const started = performance.now();
    const { status } = await work(wire);
    const seconds = (performance.now() - started) / 1000;
    wire.close();
    const by = costs(before, servers, 1);
    return { status, rate: bytes / 1e6 / seconds, cpu: servers.cpuSeconds() - cpu, by };
  };
  const put = await timed(servers.port, wire => wire.upload({ method: 'PUT', path, headers }, CHUNK, bytes));
  print(
    `PUT ${sized(bytes)} (${put.status}): ${put.rate.toFixed(0)} MB/s, server CPU ${put.cpu.toFixed(1)} s, most memory ${mb(most)}; ` +
      `md5 alone ${md5.toFixed(0)} MB/s, ${replicas} plain files side by side ${disk.toFixed(0)} MB/s, ratio to the slower ${(put.rate / Math.min(md5, disk)).toFixed(2)}`,
  );
  const [slower, limit] = md5 < disk ? ['md5 of one thread', md5] : ['plain files side by side', disk];
  const row = (method: string, { rate, by }: typeof put, what: string, most: number) =>
    options.tools.row({
      ...{ name: `${method} ${sized(bytes)}, ${replicas} replicas`, rate, unit: 'MB/s', cpu: by },
      limit: { what, rate: most },
    });
  row('PUT', put, slower, limit);
  for (const name of readdirSync(folder)) if (name.startsWith('large-')) forget(join(folder, name));
  const plain = await timed(fileServer.port, wire => wire.exchange({ method: 'GET', path: '/large-0' }));
  most = 0;
  const get = await timed(servers.port, wire => wire.exchange({ method: 'GET', path, headers }));
  clearInterval(watch);
  row('GET', get, 'static server', plain.rate);
  print(
    `GET ${sized(bytes)} (${get.status}): ${get.rate.toFixed(0)} MB/s, server CPU ${get.cpu.toFixed(1)} s, most memory ${mb(most)}; ` +
      `static server ${plain.rate.toFixed(0)} MB/s, ratio ${(get.rate / plain.rate).toFixed(2)}`,
  );
  const wire = await Wire.open('127.0.0.1', servers.port);
  await wire.exchange({ method: 'DELETE', path, headers });
  wire.close();
}

/** How often others look while many upload, milliseconds. */
const LOOK_MS = 50;

/** Many uploads that begin at the same moment, while another client reads a small object: none may be refused. */
export async function burst(
  print: Print,
  servers: BenchServers,
  options: { clients: number; bytes: number; replicas: number; folder: string; tools: BenchTools },
): Promise<void> {
  const { clients, bytes, replicas } = options;
  const { headers } = servers;
  const path = (name: string | number) => `${servers.path}/bench/burst-${name}`;
  const disk = await writeLarge(options.folder, bytes, replicas);
  const other = await Wire.open('127.0.0.1', servers.port);
  await other.exchange({ method: 'PUT', path: path('small'), headers, body: Buffer.from('x') });
  const statuses: Record<number, number> = {};
  const before = servers.cpuByProgram();
  const started = performance.now();
  let running = true;
  const uploads = Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      const wire = await Wire.open('127.0.0.1', servers.port);
      const { status } = await wire.upload({ method: 'PUT', path: path(index), headers }, CHUNK, bytes);
      statuses[status] = (statuses[status] ?? 0) + 1;
      wire.close();
    }),
  ).finally(() => {
    running = false;
  });
  const looks: number[] = [];
  while (running) {
    const from = performance.now();
    await other.exchange({ method: 'GET', path: path('small'), headers });
    looks.push(performance.now() - from);
    await new Promise(resolve => setTimeout(resolve, LOOK_MS));
  }
  await uploads;
  const rate = (clients * bytes) / 1e6 / ((performance.now() - started) / 1000);
  looks.sort((a, b) => a - b);
  const [p50 = 0, longest = 0] = [looks[looks.length >> 1], looks.at(-1)];
  const name = `${clients} × ${sized(bytes)} at once, ${replicas} replicas`;
  const cpu = costs(before, servers, clients);
  options.tools.row({
    name,
    rate,
    unit: 'MB/s',
    cpu,
    limit: { what: 'plain files side by side', rate: disk },
  });
  const said = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`);
  print(
    `${name}: ${rate.toFixed(0)} MB/s, answered ${said.join(', ')}; another client's GET meanwhile p50 ${p50.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`,
  );
  for (let index = 0; index < clients; index++)
    await other.exchange({ method: 'DELETE', path: path(index), headers });
  other.close();
}

const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

function forget(path: string): void {
  const fd = openSync(path, 'r');
  dropCache(fd, 0, fstatSync(fd).size);
  closeSync(fd);
}

/** Seconds that the many clients stream. */
const STREAM_SECONDS = 10;

/** Memory of the servers while many clients stream, half of them up and half down, at different speeds. */
export async function streams(
  print: Print,
  servers: BenchServers,
  options: { clients: number; bytes: number },
): Promise<void> {
  const { clients, bytes } = options;
  const { headers } = servers;
  const open = () => Wire.open('127.0.0.1', servers.port);
  const source = `${servers.path}/bench/stream`;
  const first = await open();
  await first.upload({ method: 'PUT', path: source, headers }, CHUNK, bytes);
  first.close();
  const before = servers.memory();
  const seen: number[] = [];
  const watch = setInterval(() => seen.push(servers.memory()), 250);
  const deadline = performance.now() + STREAM_SECONDS * 1000;
  let moved = 0;
  const client = async (index: number) => {
    const wire = await open();
    // Every fourth client dawdles: what it does not take must wait on the disk, not in memory.
    const dawdle =
      index % 4 === 3
        ? setInterval(() => (Math.floor(performance.now() / 200) % 2 ? wire.pause() : wire.resume()), 100)
        : null;
    while (performance.now() < deadline) {
      const path = index % 2 ? source : `${servers.path}/bench/stream-${index}`;
      const answer = await (index % 2
        ? wire.exchange({ method: 'GET', path, headers })
        : wire.upload({ method: 'PUT', path, headers }, CHUNK, bytes));
      if (answer.status >= 300) throw new Error(`a stream was answered ${answer.status}`);
      moved += bytes;
    }
    if (dawdle) clearInterval(dawdle);
    wire.close();
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  clearInterval(watch);
  const half = seen.length >> 1;
  const most = (values: readonly number[]) => values.reduce((max, value) => Math.max(max, value), 0);
  print(
    `${clients} clients streaming ${sized(bytes)} objects up and down: ${(moved / 1e6 / ((performance.now() - started) / 1000)).toFixed(0)} MB/s; ` +
      `memory of all servers ${mb(before)} before, at most ${mb(most(seen.slice(0, half)))} in the first half, ${mb(most(seen.slice(half)))} in the second`,
  );
}
