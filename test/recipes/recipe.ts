import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a block of code in a document does to the tree. */
export interface Change {
  path: string;
  /** The whole text of a new file, or what is replaced by what. */
  to: string | { before: string; after: string }[];
}

const BLOCK = /^```(ts|diff)\n(.*?)^```$/gms;

/** Changes of the blocks below the headings of a document, in their order: a path as first line is a file, a `diff` changes some. */
export function changesOf(document: string): Change[] {
  return [...document.matchAll(BLOCK)].flatMap(([, language, text = '']) =>
    language === 'diff' ? changesOfDiff(text) : [newFile(text)],
  );
}

function newFile(text: string): Change {
  const path = /^\/\/ (\S+\.ts)\n/.exec(text)?.[1];
  if (path === undefined) throw new Error(`a block does not say which file it is: ${text.slice(0, 80)}`);
  return { path, to: text };
}

/** Without numbers of lines: what stands there once is replaced. */
function changesOfDiff(text: string): Change[] {
  return text
    .split(/^--- /m)
    .slice(1)
    .map(part => {
      const end = part.indexOf('\n');
      const hunks = part.slice(end + 1).split(/^@@.*\n/m);
      const side = (hunk: string, signs: string) =>
        hunk
          .split('\n')
          .filter(line => line !== '' && signs.includes(line[0] ?? ''))
          .map(line => `${line.slice(1)}\n`)
          .join('');
      const to = hunks
        .filter(hunk => hunk !== '')
        .map(hunk => ({ before: side(hunk, ' -'), after: side(hunk, ' +') }));
      return { path: part.slice(0, end).trim(), to };
    });
}

/** @throws where a new file is there already, or what is to be changed does not stand there once */
export function apply(tree: string, { path, to }: Change): void {
  const file = join(tree, path);
  if (typeof to === 'string') {
    if (existsSync(file)) throw new Error(`${path} is there already`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, to);
    return;
  }
  let text = readFileSync(file, 'utf8');
  for (const { before, after } of to) {
    const at = `\n${text}`.split(`\n${before}`);
    if (at.length !== 2) throw new Error(`${path} has no single place that reads\n${before}`);
    text = at.join(`\n${after}`).slice(1);
  }
  writeFileSync(file, text);
}
