import { existsSync } from 'node:fs';
import { must } from '@folsom/core';
import type { Command } from '../command.ts';
import { unicodeRepr } from '../python-text.ts';

const NO_PYTHON =
  'there is no Python in this product: use the nova client, the REST API or the other nova-manage commands';

const interpreter: Command = {
  doc: 'Runs a Python interpreter.',
  flags: [],
  parameters: [],
  required: 0,
  run: () => {
    throw new Error(NO_PYTHON);
  },
};

/** The original offers its own Python modules to interpreters and scripts; there is nothing like it here. */
export const shellCommands: Record<string, Command> = {
  bpython: interpreter,
  ipython: interpreter,
  python: interpreter,
  run: {
    ...interpreter,
    flags: [{ name: '--shell', metavar: '<bpython|ipython|python >', help: 'Python shell' }],
    parameters: ['shell'],
  },
  script: {
    ...interpreter,
    doc: 'Runs a Python script.\n        arguments: path',
    flags: [{ name: '--path', metavar: '<path>', help: 'Script path' }],
    parameters: ['path'],
    required: 1,
    run: (_context, { path }) => {
      if (!existsSync(must(path, 'path is there')))
        throw new Error(`[Errno 2] No such file or directory: ${unicodeRepr(must(path, 'path is there'))}`);
      throw new Error(NO_PYTHON);
    },
  },
};
