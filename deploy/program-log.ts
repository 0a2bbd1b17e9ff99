import { existsSync, mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { type Config, commonOptions } from '@folsom/config';
import { createLogger, type Logger, type ModuleLevels, parseLogLevels } from '@folsom/core';
import { openSyslog } from '@folsom/swift';
import { type LogOutput, openLogFile, standardError } from './log-file.ts';

/**
 * The log of a program as its configuration wants it: `log_file` (in `log_dir`, unless absolute), `PROGRAM.log` when there
 * is only a `log_dir`, else standard error. A missing directory is made. With `use_syslog` lines go to syslog, and to a log
 * file if one is named; every line is shown to `watch`. What syslog does not take goes to standard error. Throws one sentence when the file cannot be opened.
 */
export function programLog(
  config: Config,
  program: string,
  { syslogSocket = '/dev/log', watch }: { syslogSocket?: string; watch?: (line: string) => void } = {},
): Logger {
  const settings = config.of(commonOptions);
  // An empty `log_file =` is how a file below takes back the one of a file above.
  const path = logPath(program, settings.log_file || null, settings.log_dir || null);
  const output = path === null ? standardError() : openOrExplain(path);
  const syslog = settings.use_syslog
    ? openSyslog({
        name: program,
        facility: settings.syslog_log_facility,
        to: syslogSocket,
        lost: line => path !== null || output.write(line),
      })
    : null;
  return createLogger({
    level: settings.debug ? 'debug' : isQuiet(config) ? 'warn' : 'info',
    modules: levelsOf(settings.default_log_levels),
    write: line => {
      const taken = syslog?.write(line) ?? false;
      if (!taken || path !== null) output.write(line);
      watch?.(line);
    },
    fields: { service: program },
  });
}

/** Only warnings where a file says so; what happens is noted unless somebody does not want it. */
const isQuiet = (config: Config): boolean =>
  config.isSet('DEFAULT', 'verbose') && !config.of(commonOptions).verbose;

function levelsOf(words: readonly string[]): ModuleLevels {
  try {
    return parseLogLevels(words).modules;
  } catch (error) {
    throw new Error(`default_log_levels: ${(error as Error).message}`);
  }
}

function logPath(program: string, file: string | null, dir: string | null): string | null {
  if (dir === null) return file;
  const name = file ?? `${program}.log`;
  return isAbsolute(name) ? name : join(dir, name);
}

function openOrExplain(path: string): LogOutput {
  try {
    // One level only: a mistyped path must not grow a tree of folders.
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { mode: 0o750 });
    return openLogFile(path);
  } catch (error) {
    throw new Error(`the log file ${path} cannot be written: ${(error as Error).message}`);
  }
}
