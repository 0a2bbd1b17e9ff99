import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeRing, ringOf } from '@folsom/ring';
import { pathHash, storageDirectory } from '@folsom/swift';
import type { BenchTools } from '../run.ts';
import { load, Wire } from './load.ts';
import { costs } from './rows.ts';
import type { BenchServers } from './servers.ts';

type Print = (line: string) => void;

const PAGE = 10_000;
const SECONDS = 2;

/** A container of very many objects: its first page again and again, and all of it page by page. */
export async function listing(
  print: Print,
  servers: BenchServers,
  options: { folder: string; objects: number; tools: BenchTools },
): Promise<void> {
  const { objects } = options;
  fill(options.folder, servers.devices, objects);
  const path = (query: string) => `${servers.path}/listed?limit=${PAGE}${query}`;
  const get = async (query: string) => {
    const page = await fetch(`http://127.0.0.1:${servers.port}${path(query)}`, { headers: servers.headers });
    if (page.status >= 300) throw new Error(`a listing was answered ${page.status}`);
    return page.text();
  };
  // What changes with every request is never answered from memory.
  const turns: [string, (i: number) => string][] = [
    ['the same', () => ''],
    ['another', i => `&marker=object-${String((i * 7919) % (objects - PAGE)).padStart(9, '0')}`],
  ];
  for (const [what, query] of turns) {
    for (const format of ['', '&format=json', '&format=xml']) {
      const cpu = servers.cpuSeconds();
      const result = await load({
        host: '127.0.0.1',
        port: servers.port,
        connections: 1,
        seconds: SECONDS,
        next: i => ({ method: 'GET', path: path(query(i) + format), headers: servers.headers }),
      });
      print(
        `${what} ${PAGE} of ${objects} names as ${format === '' ? 'text' : format.slice(8)}, 1 connection: ${result.perSecond.toFixed(1)}/s, server CPU ${(((servers.cpuSeconds() - cpu) * 1000) / result.count).toFixed(2)} ms`,
      );
    }
  }
  for (const format of ['', '&format=json']) await afterChanges(servers, format, options.tools, print);
  for (const format of ['', '&format=json']) {
    const cpu = servers.cpuSeconds();
    const started = performance.now();
    let marker = '';
    let pages = 0;
    let names = 0;
    for (;;) {
      const text = await get(`&marker=${marker}${format}`);
      const listed = format
        ? (JSON.parse(text || '[]') as { name: string }[]).map(item => item.name)
        : text.split('\n').slice(0, -1);
      if (listed.length === 0) break;
      names += listed.length;
      pages++;
      marker = encodeURIComponent(listed.at(-1)!);
    }
    if (names !== objects) throw new Error(`${names} names were listed instead of ${objects}`);
    const seconds = (performance.now() - started) / 1000;
    print(
      `all ${names} names ${format ? 'as JSON' : 'as text'}, page by page: ${(pages / seconds).toFixed(1)} pages/s, server CPU ${(((servers.cpuSeconds() - cpu) * 1000) / pages).toFixed(2)} ms a page`,
    );
  }
}

const CHANGES = 100;

/** The first page, straight after one of its objects was written again. */
async function afterChanges(
  servers: BenchServers,
  format: string,
  tools: BenchTools,
  print: Print,
): Promise<void> {
  const wire = await Wire.open('127.0.0.1', servers.port);
  const { headers } = servers;
  const times: number[] = [];
  let before = servers.cpuByProgram();
  const cpu: Record<string, number> = {};
  for (let i = 0; i < CHANGES; i++) {
    const name = `object-${String((i * 97) % PAGE).padStart(9, '0')}`;
    await wire.exchange({
      method: 'PUT',
      path: `${servers.path}/listed/${name}`,
      headers,
      body: Buffer.from('x'),
    });
    before = servers.cpuByProgram();
    const started = performance.now();
    await wire.exchange({ method: 'GET', path: `${servers.path}/listed?limit=${PAGE}${format}`, headers });
    times.push(performance.now() - started);
    for (const [program, ms] of Object.entries(costs(before, servers, CHANGES)))
      cpu[program] = (cpu[program] ?? 0) + ms;
  }
  wire.close();
  times.sort((a, b) => a - b);
  const [p50 = 0, p99 = 0] = [times[CHANGES / 2], times[CHANGES - 1]];
  const name = `${PAGE} names as ${format === '' ? 'text' : format.slice(8)} after a change`;
  print(`${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`);
  tools.row({ name, rate: 1000 / p50, unit: '/s', p50, p99, cpu });
}

/** Puts rows straight into every replica's database, the counts with them. */
function fill(folder: string, devices: string, objects: number): void {
  const ring = ringOf(decodeRing(readFileSync(join(folder, 'etc', 'container.ring.gz'))));
  const hash = pathHash('bench');
  const partition = ring.partition(hash.prefix('AUTH_test', 'listed'));
  const name = hash.hex('AUTH_test', 'listed');
  for (const { device } of ring.nodes(partition)) {
    const db = new DatabaseSync(
      join(devices, device, storageDirectory('containers', String(partition), name), `${name}.db`),
    );
    const trigger = db.prepare("SELECT sql FROM sqlite_master WHERE name = 'object_insert'").get()!.sql;
    db.exec(`BEGIN; DROP TRIGGER object_insert;
      INSERT INTO object (name, created_at, size, content_type, etag, deleted)
        WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < ${objects})
        SELECT printf('object-%09d', i), printf('%d.%05d', 1400000000 + i, i % 100000), 1024, 'application/octet-stream',
          'c9a34cfc85d982698c6ac89f76071abd', 0 FROM number;
      UPDATE container_stat SET object_count = ${objects}, bytes_used = ${objects} * 1024;
      ${trigger}; COMMIT`);
    db.close();
  }
}
