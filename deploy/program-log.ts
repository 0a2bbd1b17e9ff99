import { existsSync, mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { type Config, commonOptions } from '@folsom/config';
import { createLogger, type Logger } from '@folsom/core';
import { type LogOutput, openLogFile, standardError } from './log-file.ts';

/**
 * The log of a program as its configuration wants it: `log_file` (in `log_dir`, unless absolute), `PROGRAM.log` when there
 * is only a `log_dir`, else standard error. A missing directory is made. Throws one sentence when the file cannot be opened.
 */
export function programLog(config: Config, program: string): Logger {
  const { debug, log_file, log_dir } = config.of(commonOptions);
  const path = logPath(program, log_file, log_dir);
  return createLogger({
    level: debug ? 'debug' : 'info',
    write: (path === null ? standardError() : openOrExplain(path)).write,
    fields: { service: program },
  });
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
