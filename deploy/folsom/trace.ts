import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { must } from '@folsom/core';

interface LogEntry {
  time: string;
  level: string;
  message: string;
  service?: string;
  requestId?: string;
  ms?: number;
  [field: string]: unknown;
}

/** Fields that have a column of their own or say nothing about the way. */
const HIDDEN = new Set(['time', 'level', 'message', 'service', 'requestId', 'tenant', 'client', 'ms']);

/** One line of a request's way; times in milliseconds. */
export interface Step {
  /** Since the request's first line. */
  at: number;
  took: number | null;
  service: string;
  what: string;
  level: string;
}

/**
 * A request's way through the services: every log line that carries its id, in order of time, with the milliseconds since
 * the first, the service that did the work, how long it took, and what it was.
 *
 * @param tenant whose request it has to be; null for anybody's
 */
export async function requestSteps(
  logFile: string,
  requestId: string,
  tenant: string | null = null,
): Promise<Step[]> {
  const entries: LogEntry[] = [];
  const lines = createInterface({ input: createReadStream(logFile), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    if (!line.includes(requestId)) continue;
    const entry = parse(line);
    if (entry?.requestId === requestId) entries.push(entry);
  }
  const others = entries.some(entry => typeof entry.tenant === 'string' && entry.tenant !== tenant);
  const own = entries.some(entry => entry.tenant === tenant);
  if (tenant !== null && (others || !own)) return [];
  // A line is written when its work is done: order by when the work began, what took longer around what was within it.
  const began = (entry: LogEntry) => Date.parse(entry.time) - (entry.ms ?? 0);
  entries.sort((a, b) => began(a) - began(b) || (b.ms ?? 0) - (a.ms ?? 0));
  const start = entries.length > 0 ? began(must(entries[0], 'entries is not empty')) : 0;
  return entries.map(entry => ({
    at: Math.round(began(entry) - start),
    took: entry.ms ?? null,
    service: serviceOf(entry),
    what: describe(entry),
    level: entry.level,
  }));
}

/** {@link requestSteps} as a table. */
export async function trace(logFile: string, requestId: string): Promise<string[]> {
  const rows = (await requestSteps(logFile, requestId)).map(({ at, took, service, what }) => ({
    at: `+${at} ms`,
    service,
    took: took === null ? '' : `${duration(took)} ms`,
    what,
  }));
  if (rows.length === 0) return [];
  const head = { at: 'AT', service: 'SERVICE', took: 'TOOK', what: 'WHAT' };
  const width = (column: 'at' | 'service' | 'took') =>
    Math.max(...[head, ...rows].map(row => row[column].length));
  const widths = { at: width('at'), service: width('service'), took: width('took') };
  return [head, ...rows].map(
    ({ at, service, took, what }) =>
      `${at.padStart(widths.at)}  ${service.padEnd(widths.service)}  ${took.padStart(widths.took)}  ${what}`,
  );
}

const duration = (ms: number): string => (ms < 10 ? ms.toFixed(1) : String(Math.round(ms)));

/** Who did it. A message over the bus names the topic it went to: `compute.node1` is read by nova-compute. */
function serviceOf(entry: LogEntry): string {
  if (entry.service !== undefined) return entry.service;
  const topic = typeof entry.topic === 'string' ? entry.topic.replace(/[._].*$/, '') : '';
  if (entry.rpc !== 'handle' || topic === '') return '';
  return topic === 'identity' ? 'keystone' : `nova-${topic}`;
}

function describe(entry: LogEntry): string {
  const { level, message } = entry;
  const mark = level === 'info' || level === 'debug' ? '' : `${level.toUpperCase()} `;
  if (entry.rpc !== undefined) return `${mark}${overTheBus(entry)}${rest(entry, ['rpc', 'topic', 'method'])}`;
  if (message === 'request')
    return `${mark}${entry.method} ${entry.path} -> ${entry.status}${rest(entry, ['method', 'path', 'status'])}`;
  if (message === 'step done')
    return `${mark}${entry.operation}: ${entry.step}${rest(entry, ['operation', 'step', 'instance'])}`;
  return `${mark}${message}${rest(entry, [])}`;
}

function overTheBus({ rpc, topic, method }: LogEntry): string {
  if (rpc === 'handle') return String(method);
  return `${rpc === 'call' ? 'asks' : 'tells'} ${topic}: ${method}`;
}

function rest(entry: LogEntry, told: readonly string[]): string {
  return Object.entries(entry)
    .filter(
      ([name, value]) => !HIDDEN.has(name) && !told.includes(name) && value !== null && value !== undefined,
    )
    .map(([name, value]) => ` ${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join('');
}

function parse(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
