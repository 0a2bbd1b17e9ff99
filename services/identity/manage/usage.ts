import { must } from '@folsom/core';
import type { Command } from './commands.ts';

const WIDTH = 80;

/** The list the original prints: names aligned to the right, their explanations wrapped beside them. */
export function listCommands(commands: Readonly<Record<string, Command>>): string {
  const names = Object.keys(commands).sort();
  const column = Math.max(...names.map(name => name.length)) + 2;
  const lines = ['', 'Available commands:'];
  for (const name of names) {
    const first = `${name.padStart(column)}: `;
    lines.push(...wrap(first, ' '.repeat(column + 2), must(commands[name], 'name is in commands').help));
  }
  return lines.join('\n');
}

function wrap(first: string, rest: string, text: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += (empty ? '' : ' ') + word;
    empty = false;
  }
  lines.push(line);
  return lines;
}
