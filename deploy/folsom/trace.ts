import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

interface LogEntry {
  time: string;
  level: string;
  message: string;
  service?: string;
  requestId?: string;
  ms?: number;
  [field: string]: unknown;
}

const HIDDEN = new Set(['time', 'level', 'message', 'service', 'requestId', 'tenant', 'client', 'ms']);

/** A request's way through the services: every log line that carries its id, in order of time, with the milliseconds since the first. */
export async function trace(logFile: string, requestId: string): Promise<string[]> {
  const entries: LogEntry[] = [];
  const lines = createInterface({ input: createReadStream(logFile), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    if (!line.includes(requestId)) continue;
    const entry = parse(line);
    if (entry?.requestId === requestId) entries.push(entry);
  }
  // A line is written when its work is done: order by when the work began.
  const began = (entry: LogEntry) => Date.parse(entry.time) - (entry.ms ?? 0);
  entries.sort((a, b) => began(a) - began(b));
  const start = entries.length > 0 ? began(entries[0]!) : 0;
  return entries.map(entry => {
    const at = `+${Math.round(began(entry) - start)}`.padStart(7);
    const took = entry.ms === undefined ? '' : `${Math.round(entry.ms * 10) / 10} ms`;
    return `${at} ms  ${(entry.service ?? '').padEnd(18)} ${took.padStart(10)}  ${describe(entry)}`;
  });
}

function describe(entry: LogEntry): string {
  const details = Object.entries(entry)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== null && value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
  return `${entry.level === 'info' || entry.level === 'debug' ? '' : `${entry.level.toUpperCase()} `}${entry.message} ${details}`.trimEnd();
}

function parse(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
