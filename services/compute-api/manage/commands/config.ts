import { readFileSync, writeFileSync } from 'node:fs';
import { must } from '@folsom/core';
import type { Command } from '../command.ts';
import { shown, textList } from '../python-text.ts';

const FLAG_FILES_MAX = 20;

export const configCommands: Record<string, Command> = {
  list: {
    doc: null,
    flags: [],
    parameters: [],
    required: 0,
    run: context => {
      const values = context.settings as Readonly<Record<string, unknown>>;
      for (const name of Object.keys(values).sort()) {
        const value = values[name];
        if (value === null) continue;
        context.print(`${name} = ${Array.isArray(value) ? textList(value) : shown(value)}`);
      }
    },
  },
  convert: {
    doc: 'Converts a flagfile to a configuration file.',
    flags: [
      { name: '--infile', metavar: '<path>', help: 'old-style flagfile to convert to config' },
      {
        name: '--outfile',
        metavar: '<path>',
        help: 'path for output file. Writes config to stdout if not specified.',
      },
    ],
    parameters: ['infile', 'outfile'],
    required: 1,
    run: (context, args) => {
      const text = convertFlagFile(must(args.infile, 'infile is there'));
      if (args.outfile === undefined) context.out(text);
      else writeFileSync(args.outfile, text, { mode: 0o600 });
    },
  },
};

/** `--name=value`, `--flag` and `--noflag` lines become options; files named by --flagfile are taken in. */
function convertFlagFile(path: string): string {
  const lines = ['[DEFAULT]'];
  const queue = [path];
  for (let count = 0; queue.length > 0; count++) {
    if (count >= FLAG_FILES_MAX) throw new Error(`more than ${FLAG_FILES_MAX} flag files`);
    const text = readFileSync(must(queue.shift(), 'queue is not empty'), 'utf8');
    if (count === 0 && !/^\s*(#.*\s+|\/\/.*\s+)*--/.test(text)) return text;
    for (const raw of text.split('\n')) {
      const line = raw.trim();
      if (!line.startsWith('-')) continue;
      const [, name = '', , value] = /^--?([^=\s]+)(=(.*)|)$/.exec(line) ?? [];
      if (name === 'flagfile' && value) queue.push(value);
      else if (value !== undefined) lines.push(`${name}=${value}`);
      else if (name.startsWith('no')) lines.push(`${name.slice(2)}=false`);
      else if (name !== '') lines.push(`${name}=true`);
    }
  }
  return `${lines.join('\n')}\n`;
}
