import { type Clock, systemClock } from './clock.ts';
import { type LogLevel, levelOf, type ModuleLevels } from './log-levels.ts';
import { fieldsText } from './log-line.ts';
import { maskSecrets, maskText } from './masking.ts';
import { counter, type Metrics, NO_METRICS } from './metrics.ts';

export type LogFields = Record<string, unknown>;

/**
 * One JSON object a line: `time` (ISO 8601), `level`, `service`, `requestId`, `tenant`, `message`, and what belongs to it. Fields
 * named like secrets are masked; an Error is written with its stack.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields that every line carries (service, request id, tenant). */
  child(fields: LogFields): Logger;
  readonly level: LogLevel;
}

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

/** Longest line written: one request must never write more than this at once. */
export const LOG_LINE_BYTES_MAX = 16 * 1024;

/** What every line has of its own. */
const RESERVED = ['time', 'level', 'message'];

export const logMetrics = {
  lines: counter('folsom_log_lines_total', 'Lines of the log, by service and level.', ['service', 'level']),
};

export interface LoggerOptions {
  level?: LogLevel;
  /** Levels of services that differ. */
  modules?: ModuleLevels;
  /** Receives whole lines with their newline. Default: standard error. */
  write?: (line: string) => void;
  clock?: Clock;
  fields?: LogFields;
  /** Where lines are counted. */
  metrics?: Metrics;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const {
    level: common = 'info',
    modules = {},
    write = line => void process.stderr.write(line),
    clock = systemClock,
    metrics = NO_METRICS,
  } = options;
  metrics.declare(logMetrics);
  const build = (bound: LogFields): Logger => {
    const service = typeof bound.service === 'string' ? bound.service : '';
    const level = levelOf(service, common, modules);
    const isFlat = flat(bound);
    /** Of the fields that every line has; made with the first. */
    let boundText: string | null | undefined;
    /** A line of nothing but plain fields, each of another name; null for any other. */
    const plainLine = (at: LogLevel, message: string, fields?: LogFields): string | null => {
      boundText ??= isFlat && !RESERVED.some(name => name in bound) ? fieldsText(bound) : null;
      if (boundText === null) return null;
      for (const name in fields) if (name in bound || RESERVED.includes(name)) return null;
      const own = fields ? fieldsText(fields) : '';
      if (own === null) return null;
      const said = JSON.stringify(maskText(message));
      return `{"time":"${isoTime(clock.now())}","level":"${at}"${boundText},"message":${said}${own}}`;
    };
    const emit = (at: LogLevel, message: string, fields?: LogFields) => {
      if (RANK[at] < RANK[level]) return;
      metrics.add(logMetrics.lines, [service, at]);
      const plain = plainLine(at, message, fields);
      if (plain !== null && plain.length <= LOG_LINE_BYTES_MAX) {
        write(`${plain}\n`);
        return;
      }
      const entry = { time: isoTime(clock.now()), level: at, ...bound, message, ...fields };
      // Asked for every key, it would cost most of the line.
      const aware = isFlat && flat(fields) ? undefined : errorAware;
      let line = JSON.stringify(maskSecrets(entry), aware);
      if (line.length > LOG_LINE_BYTES_MAX) {
        const { service: by, requestId, tenant } = { ...bound, ...fields };
        line = JSON.stringify({
          time: entry.time,
          level: at,
          ...Object.fromEntries(
            Object.entries({ service: by, requestId, tenant }).filter(
              ([, value]) => typeof value === 'string' && value.length < 200,
            ),
          ),
          message: message.slice(0, 1000),
          truncated: line.length,
        });
      }
      write(`${line}\n`);
    };
    return {
      level,
      debug: (message, fields) => emit('debug', message, fields),
      info: (message, fields) => emit('info', message, fields),
      warn: (message, fields) => emit('warn', message, fields),
      error: (message, fields) => emit('error', message, fields),
      child: fields => build({ ...bound, ...fields }),
    };
  };
  return build(options.fields ?? {});
}

/** Whether there is nothing that JSON alone would not write: no errors, no large numbers, nothing with parts. */
function flat(fields: LogFields = {}): boolean {
  for (const name in fields) {
    const value = fields[name];
    if ((typeof value === 'object' && value !== null) || typeof value === 'bigint') return false;
  }
  return true;
}

let lastSecond = Number.NaN;
let lastIso = '';

/** `2012-09-27T00:00:00.000Z`; whole seconds are worked out once. */
function isoTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastIso = new Date(second * 1000).toISOString().slice(0, 20);
    lastSecond = second;
  }
  return `${lastIso}${String(Math.floor(ms) - second * 1000).padStart(3, '0')}Z`;
}

/** Writes nothing; for tests and for code that is given no log. */
export const silentLogger: Logger = createLogger({ level: 'error', write: () => {} });

function errorAware(_key: string, value: unknown): unknown {
  if (value instanceof Error) {
    return {
      name: value.name,
      message: maskText(value.message),
      stack: value.stack?.split('\n', 20).map(maskText),
    };
  }
  return typeof value === 'bigint' ? String(value) : value;
}
