import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { must } from '@folsom/core';
import { describe, isAbout, type LogEntry, parseEntry, serviceOf } from './log-entry.ts';

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
    const entry = parseEntry(line);
    if (entry && isAbout(entry, requestId)) entries.push(entry);
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
    what: marked(entry),
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

const MARKED = new Set(['warn', 'error']);

const marked = (entry: LogEntry): string =>
  `${MARKED.has(entry.level) ? `${entry.level.toUpperCase()} ` : ''}${describe(entry)}`;
