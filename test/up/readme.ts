import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));

/**
 * Commands of the fenced blocks below a heading of README, in order, as a reader would type them: without the comments behind them,
 * lines that go on joined.
 *
 * @throws where there is no such heading, or nothing fenced below it
 */
export function readmeCommands(heading: string): string[] {
  const text = readFileSync(README, 'utf8');
  const section = text.split(/^## /m).find(part => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`README.md has no heading "${heading}"`);
  const blocks = [...section.matchAll(/^```\w*\n(.*?)^```$/gms)].map(match => match[1] ?? '');
  const commands = blocks
    .join('')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(line => line !== '');
  if (commands.length === 0) throw new Error(`README.md has no commands below "${heading}"`);
  return commands;
}

/** Commands of `folsom` that README's table explains. */
export const readmePrograms = (): string[] => {
  const rows = readFileSync(README, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| `folsom '));
  return rows.flatMap(row =>
    [...(row.split(' | ')[0] ?? '').matchAll(/`folsom ([\w-]+)/g)].map(match => match[1] ?? ''),
  );
};

interface Walk {
  /** Words before `ready`, and what brings the client there: the reader's business, and the test's. */
  before: string[];
  /** What is typed in the second terminal, credentials first; each belongs into the same shell. */
  commands: string[];
  /** The last of them, by which nothing is left. */
  end: string;
}

/** The walk to a first virtual machine. */
export function firstMachine(): Walk {
  const all = readmeCommands('The first virtual machine, in five minutes');
  const login = all.findIndex(command => command.startsWith('. '));
  const end = all.at(-1);
  if (login < 0 || end === undefined) throw new Error('the walk of README.md reads no credentials');
  return { before: all.slice(0, login), commands: all.slice(login, -1), end };
}
