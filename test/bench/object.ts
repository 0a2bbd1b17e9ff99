import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@folsom/core';
import { decodeRing, ringOf } from '@folsom/ring';
import { pathHash } from '@folsom/swift/hash-path';
import { createInternalClient, internalText } from '@folsom/swift/internal-client';
import { type LoadRequest, type LoadResult, load } from './object/load.ts';
import { staticServer, writeAndSync } from './object/references.ts';
import { type BenchServers, startServers } from './object/servers.ts';
import type { Bench } from './run.ts';

const BASE_PORT = Number(process.env.BENCH_PORT ?? 23_400);
/** Seconds a row. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const LARGE_BYTES = Number(process.env.BENCH_LARGE_MB ?? 4096) * 2 ** 20;
const LISTED = Number(process.env.BENCH_LISTED ?? 1_000_000);
const SIZES = [1024, 2 ** 20];
const CONNECTIONS = [1, 16, 64];

const sized = (bytes: number): string =>
  bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 1024} KiB`;

/**
 * Object storage through the proxy: small and medium objects at several widths with one and three replicas, one
 * very large object, and a very long listing; beside a plain static server and plain synced writes in the same run.
 */
export const bench: Bench = async print => {
  const folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'bench-object-'));
  try {
    for (const replicas of [1, 3]) {
      const own = join(folder, `r${replicas}`);
      const servers = await startServers(own, BASE_PORT, replicas);
      try {
        await prepare(servers);
        print(
          `-- ${replicas} replica${replicas > 1 ? 's' : ''}; one worker each of proxy, account, container, object server`,
        );
        print('operation           conns      /s     p50 ms    p99 ms   CPU ms/op   errors');
        for (const size of SIZES)
          for (const connections of CONNECTIONS) await rows(print, servers, size, connections);
        if (replicas === 3) {
          await large(print, servers);
          await listing(print, servers, own);
          print(`memory of all servers after this: ${Math.round(servers.memory() / 1e6)} MB`);
        }
      } finally {
        await servers.stop();
      }
    }
    await references(print, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

async function prepare({ port, path, token }: BenchServers): Promise<void> {
  for (const name of ['bench', 'listed']) {
    const made = await fetch(`http://127.0.0.1:${port}${path}/${name}`, {
      method: 'PUT',
      headers: { 'X-Auth-Token': token },
    });
    if (made.status >= 300) throw new Error(`container: ${made.status}`);
  }
}

async function rows(
  print: (line: string) => void,
  servers: BenchServers,
  size: number,
  connections: number,
): Promise<void> {
  const body = Buffer.alloc(size, 'x');
  const path = (i: number) => `${servers.path}/bench/${size}-${connections}-${i}`;
  const headers = { 'X-Auth-Token': servers.token };
  const row = async (name: string, next: (i: number) => LoadRequest | null) => {
    const cpu = servers.cpuSeconds();
    const result = await load({ host: '127.0.0.1', port: servers.port, connections, seconds: SECONDS, next });
    printRow(print, `${name} ${sized(size)}`, connections, result, servers.cpuSeconds() - cpu);
    return result;
  };
  const { count } = await row('PUT', i => ({ method: 'PUT', path: path(i), headers, body }));
  await row('GET', i => ({ method: 'GET', path: path(i % count), headers }));
  await row('HEAD', i => ({ method: 'HEAD', path: path(i % count), headers }));
  await row('DELETE', i => (i < count ? { method: 'DELETE', path: path(i), headers } : null));
}

function printRow(
  print: (line: string) => void,
  name: string,
  connections: number,
  result: LoadResult,
  cpu: number,
): void {
  const errors = Object.entries(result.statuses).filter(([status]) => Number(status) >= 300);
  print(
    [
      name.padEnd(18),
      String(connections).padStart(6),
      result.perSecond.toFixed(1).padStart(9),
      result.median.toFixed(2).padStart(9),
      result.slowest99.toFixed(2).padStart(9),
      ((cpu * 1000) / Math.max(1, result.count)).toFixed(3).padStart(11),
      (errors.map(([status, count]) => `${count}×${status}`).join(' ') || '-').padStart(8),
    ].join(' '),
  );
}

/** One very large object there and back, as a stream. */
async function large(print: (line: string) => void, servers: BenchServers): Promise<void> {
  const { port, path, token, cpuSeconds, memory } = servers;
  const chunk = Buffer.alloc(2 ** 20, 'z');
  const where = { host: '127.0.0.1', port, path: `${path}/bench/large`, headers: { 'X-Auth-Token': token } };
  let cpu = cpuSeconds();
  let started = performance.now();
  const put = await new Promise<number>((resolve, reject) => {
    const sending = request(
      { ...where, method: 'PUT', headers: { ...where.headers, 'Content-Length': LARGE_BYTES } },
      answer => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
    );
    sending.on('error', reject);
    let left = LARGE_BYTES;
    const more = () => {
      while (left > 0) {
        const piece = chunk.subarray(0, Math.min(chunk.length, left));
        left -= piece.length;
        if (!sending.write(piece)) return;
      }
      sending.off('drain', more);
      sending.end();
    };
    sending.on('drain', more);
    more();
  });
  report(print, `PUT ${sized(LARGE_BYTES)} (${put})`, started, cpuSeconds() - cpu, memory());
  cpu = cpuSeconds();
  started = performance.now();
  let received = 0;
  const got = await new Promise<number>((resolve, reject) => {
    request(where, answer =>
      answer
        .on('data', (piece: Buffer) => {
          received += piece.length;
        })
        .on('end', () => resolve(answer.statusCode ?? 0))
        .on('error', reject),
    )
      .on('error', reject)
      .end();
  });
  report(print, `GET ${sized(received)} (${got})`, started, cpuSeconds() - cpu, memory());
  await fetch(`http://127.0.0.1:${port}${path}/bench/large`, {
    method: 'DELETE',
    headers: { 'X-Auth-Token': token },
  });
}

function report(
  print: (line: string) => void,
  name: string,
  started: number,
  cpu: number,
  memory: number,
): void {
  const seconds = (performance.now() - started) / 1000;
  print(
    `${name}: ${(LARGE_BYTES / 1e6 / seconds).toFixed(0)} MB/s, server CPU ${cpu.toFixed(1)} s, memory of all servers ${Math.round(memory / 1e6)} MB`,
  );
}

const PAGE = 10_000;

/** A container of very many objects, put into its databases as replication would, listed page by page. */
async function listing(print: (line: string) => void, servers: BenchServers, folder: string): Promise<void> {
  const ring = ringOf(decodeRing(readFileSync(join(folder, 'etc', 'container.ring.gz'))));
  const hash = pathHash('bench');
  const partition = ring.partition(hash.prefix('AUTH_test', 'listed'));
  const client = createInternalClient({ clock: systemClock });
  for (let from = 0; from < LISTED; from += PAGE) {
    const items = Array.from({ length: Math.min(PAGE, LISTED - from) }, (_, i) => ({
      name: `object-${String(from + i).padStart(9, '0')}`,
      created_at: '1400000000.00000',
      size: 1024,
      content_type: 'application/octet-stream',
      etag: 'c9a34cfc85d982698c6ac89f76071abd',
      deleted: 0,
    }));
    const body = Buffer.from(JSON.stringify(['merge_items', items, null]));
    for (const node of ring.nodes(partition)) {
      const answer = await client.request(node, {
        method: 'REPLICATE',
        path: `/${node.device}/${partition}/${hash.hex('AUTH_test', 'listed')}`,
        headers: [['content-length', String(body.length)]],
        body,
        connectTimeoutMs: 5000,
        timeoutMs: 120_000,
      });
      await internalText(answer);
      if (answer.status >= 300) throw new Error(`merge_items answered ${answer.status}`);
    }
  }
  client.close();
  for (const format of ['', '&format=json']) {
    const cpu = servers.cpuSeconds();
    const started = performance.now();
    let marker = '';
    let pages = 0;
    let names = 0;
    for (;;) {
      const url = `http://127.0.0.1:${servers.port}${servers.path}/listed?limit=${PAGE}&marker=${marker}${format}`;
      const page = await fetch(url, { headers: { 'X-Auth-Token': servers.token } });
      const text = await page.text();
      const listed =
        page.status === 204
          ? []
          : format
            ? (JSON.parse(text) as { name: string }[]).map(item => item.name)
            : text.trimEnd().split('\n');
      if (listed.length === 0) break;
      names += listed.length;
      pages++;
      marker = encodeURIComponent(listed.at(-1)!);
    }
    const seconds = (performance.now() - started) / 1000;
    print(
      `listing of ${names} names ${format ? 'as JSON' : 'as text'}: ${(pages / seconds).toFixed(1)} pages/s of ${PAGE}, server CPU ${(((servers.cpuSeconds() - cpu) * 1000) / pages).toFixed(1)} ms a page`,
    );
  }
}

async function references(print: (line: string) => void, folder: string): Promise<void> {
  print('-- for comparison, in the same run');
  const { port, server } = await staticServer(join(folder, 'static'), { small: 1024, medium: 2 ** 20 });
  for (const [name, size] of [
    ['small', 1024],
    ['medium', 2 ** 20],
  ] as const) {
    for (const connections of CONNECTIONS) {
      const result = await load({
        host: '127.0.0.1',
        port,
        connections,
        seconds: SECONDS,
        next: () => ({ method: 'GET', path: `/${name}` }),
      });
      print(
        `static server (same process as the client) GET ${sized(size)}, ${connections} connections: ${result.perSecond.toFixed(1)}/s`,
      );
    }
  }
  server.close();
  for (const copies of [1, 3]) {
    for (const size of SIZES) {
      for (const parallel of CONNECTIONS) {
        const rate = await writeAndSync(folder, { size, copies, parallel, seconds: SECONDS / 2 });
        print(`write+fsync of ${copies} × ${sized(size)}, ${parallel} at once: ${rate.toFixed(1)}/s`);
      }
    }
  }
}
