// `npm run check -- documents`: every file and folder that a document names in backticks is there, an arrow of ARCHITECTURE's walks begins at
// something that its file exports, what is made from declarations (`docs/api.md` and its neighbours) is what those say, and a test that may
// be left out says what it needs.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const DOCUMENTS = [
  'ARCHITECTURE.md',
  'README.md',
  ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`),
];
const OURS = /`((?:libs|services|deploy|test|docs)\/[\w./-]+)`/g;
/** A row of a walk: its file, and the name at which to begin. */
const ARROW = /^\| .+ \| `([\w./-]+\.ts)` \| `(\w+)` \|$/gm;
const ARROWS_MIN = 50;

const missing = DOCUMENTS.filter(name => name.endsWith('.md')).flatMap(name =>
  [...readFileSync(join(root, name), 'utf8').matchAll(OURS)]
    .filter(([, path]) => !existsSync(join(root, path)))
    .map(([, path]) => `${name} names ${path}, which is not there`),
);
const arrows = [...readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').matchAll(ARROW)];
for (const [, path, name] of arrows) {
  const text = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
  if (!new RegExp(`^export (async )?(function|const|class) ${name}\\b`, 'm').test(text))
    missing.push(`ARCHITECTURE.md begins an arrow at ${name} of ${path}, which does not export it`);
}
if (arrows.length < ARROWS_MIN)
  missing.push(`only ${arrows.length} rows of ARCHITECTURE.md can be read as arrows of a walk`);
const LEFT_OUT = /\b(skipIf|runIf)\(|\.(skip|todo)\(/;
const REASON = /\b(needs|serverMissing|cannotRun)\(/;
const tests = execFileSync('git', ['ls-files', '*.test.ts', '*.more.ts'], { cwd: root, encoding: 'utf8' });
for (const path of tests.split('\n').filter(name => name !== '' && existsSync(join(root, name)))) {
  const text = readFileSync(join(root, path), 'utf8');
  if (LEFT_OUT.test(text) && !REASON.test(text))
    missing.push(`${path} leaves tests out without a word: ask by needs(…) of @folsom/core/testing`);
}
try {
  // Reads TypeScript, which the node that starts this need not know.
  execFileSync(join(root, 'node_modules/.bin/node'), ['deploy/reference/write.ts', '--check'], { cwd: root });
} catch {
  missing.push('a page of docs is not what the declarations say: `npm run docs` writes it');
}
for (const line of missing) console.error(line);
process.exitCode = missing.length === 0 ? 0 : 1;
