import { LOG_LEVELS, type LogLevel } from '@folsom/core';

/** One line of the log. */
export interface LogEntry {
  time: string;
  level: string;
  message: string;
  service?: string;
  requestId?: string;
  /** Of a line about work that was done for several requests together, with blanks between. */
  requestIds?: string;
  tenant?: string;
  ms?: number;
  [field: string]: unknown;
}

/** Which lines are wanted: what is named has to be so. */
export interface LogFilter {
  /** Only what carries this request id. */
  request?: string | undefined;
  /** Only what was done for this tenant (its id). */
  tenant?: string | undefined;
  /** Only this level and what is graver. */
  level?: LogLevel | undefined;
  /** Only this service, as the log names it. */
  service?: string | undefined;
  /** Only what says so, as people read it, in upper or lower case. */
  text?: string | undefined;
}

/** Whether a line belongs to a request, alone or with others. */
export const isAbout = (entry: LogEntry, requestId: string): boolean =>
  entry.requestId === requestId ||
  (typeof entry.requestIds === 'string' && entry.requestIds.split(' ').includes(requestId));

/** The entry of a line that is wanted; undefined for others and for what is no entry. */
export function lineFilter(filter: LogFilter): (line: string) => LogEntry | undefined {
  const { request, tenant, level, service } = filter;
  const least = level === undefined ? 0 : LOG_LEVELS.indexOf(level);
  // Cheap first: most lines are somebody else's.
  const parts = [request, tenant, service].flatMap(part => (part === undefined ? [] : [inJson(part)]));
  const grave = least === 0 ? undefined : new RegExp(`"level":"(${LOG_LEVELS.slice(least).join('|')})"`);
  const words = filter.text?.toLowerCase();
  return line => {
    if (parts.some(part => !line.includes(part))) return undefined;
    if (grave !== undefined && !grave.test(line)) return undefined;
    const entry = parseEntry(line);
    const wanted =
      entry !== undefined &&
      (request === undefined || isAbout(entry, request)) &&
      (tenant === undefined || entry.tenant === tenant) &&
      (service === undefined || entry.service === service) &&
      LOG_LEVELS.indexOf(entry.level as LogLevel) >= least &&
      (words === undefined || wordsOf(entry).includes(words));
    return wanted ? entry : undefined;
  };
}

/** As people read the line. */
const wordsOf = (entry: LogEntry): string => `${serviceOf(entry)} ${describe(entry)}`.toLowerCase();

/** As a JSON text has it within its quotes. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

export function parseEntry(line: string): LogEntry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null ? (entry as LogEntry) : undefined;
  } catch {
    return undefined;
  }
}

/** Fields that have a column of their own or say nothing about the way. */
const HIDDEN = new Set([
  'time',
  'level',
  'message',
  'service',
  'requestId',
  'requestIds',
  'tenant',
  'client',
  'ms',
]);

/** Who did it. A message over the bus names the topic it went to: `compute.node1` is read by nova-compute. */
export function serviceOf(entry: LogEntry): string {
  if (entry.service !== undefined) return entry.service;
  const topic = typeof entry.topic === 'string' ? entry.topic.replace(/[._].*$/, '') : '';
  if (entry.rpc !== 'handle' || topic === '') return '';
  return topic === 'identity' ? 'keystone' : `nova-${topic}`;
}

/** What was done, in one line, with the fields that belong to it. */
export function describe(entry: LogEntry): string {
  const { message } = entry;
  if (entry.rpc !== undefined) return `${overTheBus(entry)}${rest(entry, ['rpc', 'topic', 'method'])}`;
  if (message === 'request')
    return `${entry.method} ${entry.path} -> ${entry.status}${rest(entry, ['method', 'path', 'status'])}`;
  if (message === 'step done')
    return `${entry.operation}: ${entry.step}${rest(entry, ['operation', 'step', 'instance'])}`;
  return `${message}${rest(entry, [])}`;
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
