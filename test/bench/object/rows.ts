import { type LoadRequest, type LoadResult, load } from './load.ts';
import { type StaticServer, writeAndSync } from './references.ts';
import type { BenchServers } from './servers.ts';

type Print = (line: string) => void;

const COLUMNS = [
  ['operation', 18],
  ['conns', 6],
  ['/s', 9],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['CPU ms', 8],
  ['reference/s', 12],
  ['ratio', 7],
  ['errors', 8],
] as const;

export const sized = (bytes: number): string =>
  bytes >= 2 ** 30
    ? `${bytes / 2 ** 30} GiB`
    : bytes >= 2 ** 20
      ? `${bytes / 2 ** 20} MiB`
      : `${bytes / 1024} KiB`;

const line = (cells: readonly string[]): string =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(COLUMNS[0][1]) : cell.padStart(COLUMNS[i]![1]))).join(' ');

export const printHead = (print: Print): void => print(line(COLUMNS.map(([name]) => name)));

function printRow(
  print: Print,
  name: string,
  connections: number,
  result: LoadResult,
  cpu: number,
  reference: number | null,
): void {
  const errors = Object.entries(result.statuses).filter(([status]) => Number(status) >= 300);
  print(
    line([
      name,
      String(connections),
      result.perSecond.toFixed(1),
      result.median.toFixed(2),
      result.slowest99.toFixed(2),
      ((cpu * 1000) / Math.max(1, result.count)).toFixed(3),
      reference === null ? '' : reference.toFixed(1),
      reference === null ? '' : (result.perSecond / reference).toFixed(2),
      errors.map(([status, count]) => `${count}×${status}`).join(' ') || '-',
    ]),
  );
}

export interface RowOptions {
  size: number;
  connections: number;
  seconds: number;
  /** Copies that a write makes. */
  replicas: number;
  /** Where plain files may be written for comparison. */
  folder: string;
  fileServer: StaticServer;
}

/** PUT, GET, HEAD and DELETE of objects of one size, each beside what a plain server or plain synced files do. */
export async function rows(print: Print, servers: BenchServers, options: RowOptions): Promise<void> {
  const { size, connections, seconds } = options;
  const body = Buffer.alloc(size, 'x');
  const { headers } = servers;
  const path = (i: number) => `${servers.path}/bench/${size}-${connections}-${i}`;
  const run = async (port: number, next: (i: number) => LoadRequest | null) =>
    load({ host: '127.0.0.1', port, connections, seconds, next });
  const row = async (name: string, reference: number | null, next: (i: number) => LoadRequest | null) => {
    const cpu = servers.cpuSeconds();
    const result = await run(servers.port, next);
    printRow(print, `${name} ${sized(size)}`, connections, result, servers.cpuSeconds() - cpu, reference);
    return result.count;
  };
  const written = await writeAndSync(options.folder, {
    size,
    copies: options.replicas,
    parallel: connections,
    seconds: seconds / 2,
  });
  const read = async (method: string) =>
    (await run(options.fileServer.port, () => ({ method, path: `/file-${size}` }))).perSecond;
  const count = await row('PUT', written, i => ({ method: 'PUT', path: path(i), headers, body }));
  await row('GET', await read('GET'), i => ({ method: 'GET', path: path(i % count), headers }));
  await row('HEAD', await read('HEAD'), i => ({ method: 'HEAD', path: path(i % count), headers }));
  await row('DELETE', null, i => (i < count ? { method: 'DELETE', path: path(i), headers } : null));
}
