import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commonOptions } from '@folsom/config';
import { must } from '@folsom/core';
import { type Command, Exit, wholeNumber } from '../command.ts';

/** The last part of a log that is looked through. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;
/** Lines of the original's logs and of ours. */
const ERROR_LINE = / ERROR |"level":"error"/;

const linesOf = (path: string): string[] =>
  readFileSync(path)
    .subarray(-LOG_BYTES_MAX)
    .toString('utf8')
    .split('\n')
    .map(line => line.trim());

export const logCommands: Record<string, Command> = {
  errors: {
    doc: 'Get all of the errors from the log files',
    flags: [],
    parameters: [],
    required: 0,
    run: context => {
      const dir = context.config.of(commonOptions).log_dir;
      const files = dir === null ? [] : readdirSync(dir).filter(name => name.endsWith('.log'));
      let any = false;
      for (const name of files.sort()) {
        const path = join(must(dir, 'dir is there'), name);
        const lines = linesOf(path);
        if (lines.at(-1) === '') lines.pop();
        let named = false;
        for (let at = lines.length - 1; at >= 0; at--) {
          if (!ERROR_LINE.test(must(lines[at], 'at is in lines'))) continue;
          if (!named) context.print(`${path}:-`);
          named = true;
          any = true;
          context.print(`Line ${at + 1} : ${lines[at]}`);
        }
      }
      if (!any) context.print('No errors in logfiles!');
    },
  },
  syslog: {
    doc: 'Get <num_entries> of the nova syslog events',
    flags: [],
    parameters: ['num_entries'],
    required: 0,
    run: (context, { num_entries }) => {
      const wanted = wholeNumber(num_entries ?? '10');
      const path = context.systemLogs.find(file => existsSync(file));
      if (path === undefined) {
        context.print('Unable to find system log file!');
        throw new Exit(1);
      }
      context.print(`Last ${wanted} nova syslog entries:-`);
      const found = linesOf(path)
        .reverse()
        .filter(line => line.indexOf('nova') > 0)
        .slice(0, Math.max(0, wanted));
      for (const line of found) context.print(line);
      if (found.length === 0) context.print('No nova entries in syslog!');
    },
  },
};
