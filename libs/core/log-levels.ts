/** Gravest last. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Levels of services that differ from the others': `nova.compute` and `nova-compute` are the same, `nova` is all of nova's. */
export type ModuleLevels = Readonly<Record<string, LogLevel>>;

/** As Python's logging has them. */
const NAMES: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'error',
  fatal: 'error',
};

/**
 * `warn,nova-compute=debug`, or Folsom's `default_log_levels`: a level for all, and levels of some. Names of what we do not have
 * (`sqlalchemy`) do no harm. Throws one sentence for a level that is none.
 */
export function parseLogLevels(words: readonly string[]): { level: LogLevel | null; modules: ModuleLevels } {
  let all: LogLevel | null = null;
  const modules: Record<string, LogLevel> = {};
  for (const word of words) {
    const at = word.lastIndexOf('=');
    const name = word
      .slice(at + 1)
      .trim()
      .toLowerCase();
    const level = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
    if (level === undefined)
      throw new Error(
        `${JSON.stringify(word.slice(0, 100))} names no level; there are ${LOG_LEVELS.join(', ')}`,
      );
    if (at < 0) all = level;
    else modules[dotted(word.slice(0, at).trim())] = level;
  }
  return { level: all, modules };
}

const dotted = (service: string): string => service.replaceAll('-', '.');

/** The level of a service: of its own name, else of the longest beginning of it, else that of all. */
export function levelOf(service: string, level: LogLevel, modules: ModuleLevels): LogLevel {
  for (let name = dotted(service); name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const own = Object.hasOwn(modules, name) ? modules[name] : undefined;
    if (own !== undefined) return own;
  }
  return level;
}
