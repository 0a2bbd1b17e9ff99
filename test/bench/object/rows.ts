import { profileOthers } from '../profile.ts';
import { type BenchRow, sumOf } from '../report.ts';
import type { BenchTools } from '../run.ts';
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

function printRow(print: Print, row: BenchRow, connections: number, result: LoadResult): void {
  const errors = Object.entries(result.statuses).filter(([status]) => Number(status) >= 300);
  print(
    line([
      row.name,
      String(connections),
      row.rate.toFixed(1),
      result.median.toFixed(2),
      result.slowest99.toFixed(2),
      sumOf(row.cpu).toFixed(3),
      row.limit?.rate.toFixed(1) ?? '',
      row.limit ? (row.rate / row.limit.rate).toFixed(2) : '',
      errors.map(([status, count]) => `${count}×${status}`).join(' ') || '-',
    ]),
  );
}

/** What a load cost each program: milliseconds of processor an operation. */
export function costs(
  before: Readonly<Record<string, number>>,
  servers: BenchServers,
  operations: number,
): Record<string, number> {
  const after = Object.entries(servers.cpuByProgram());
  return Object.fromEntries(
    after.map(([name, seconds]) => [
      name,
      (1000 * (seconds - (before[name] ?? 0))) / Math.max(1, operations),
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
  tools: BenchTools;
  /** e.g. `four processes` */
  servedBy: string;
  /** Where the servers put their profiles, if they are wanted. */
  profiles: string | null;
}

/** PUT, GET, HEAD and DELETE of objects of one size, each beside what a plain server or plain synced files do. */
export async function rows(print: Print, servers: BenchServers, options: RowOptions): Promise<void> {
  const { size, connections, seconds } = options;
  const body = Buffer.alloc(size, 'x');
  const { headers } = servers;
  const path = (i: number) => `${servers.path}/bench/${size}-${connections}-${i}`;
  const run = async (port: number, next: (i: number) => LoadRequest | null) =>
    load({ host: '127.0.0.1', port, connections, seconds, next });
  const row = async (
    name: string,
    limit: BenchRow['limit'] | null,
    next: (i: number) => LoadRequest | null,
  ) => {
    const profile = options.profiles === null ? null : profileOthers(options.profiles, servers.pids);
    const before = servers.cpuByProgram();
    const result = await run(servers.port, next);
    const measured: BenchRow = {
      name: `${name} ${sized(size)}`,
      rate: result.perSecond,
      unit: '/s',
      p50: result.median,
      p99: result.slowest99,
      cpu: costs(before, servers, result.count),
      ...(limit ? { limit } : {}),
    };
    printRow(print, measured, connections, result);
    const where = `${options.replicas} replica${options.replicas > 1 ? 's' : ''}, c=${connections}`;
    options.tools.row({ ...measured, name: `${measured.name}, ${where}, ${options.servedBy}` });
    for (const text of (await profile?.()) ?? []) print(text);
    return result.count;
  };
  const written = await writeAndSync(options.folder, {
    size,
    copies: options.replicas,
    parallel: connections,
    seconds: seconds / 2,
  });
  const read = async (method: string) => ({
    what: 'static server',
    rate: (await run(options.fileServer.port, () => ({ method, path: `/file-${size}` }))).perSecond,
  });
  const count = await row('PUT', { what: 'files written and synced', rate: written }, i => ({
    method: 'PUT',
    path: path(i),
    headers,
    body,
  }));
  await row('GET', await read('GET'), i => ({ method: 'GET', path: path(i % count), headers }));
  await row('HEAD', await read('HEAD'), i => ({ method: 'HEAD', path: path(i % count), headers }));
  await row('DELETE', null, i => (i < count ? { method: 'DELETE', path: path(i), headers } : null));
}
