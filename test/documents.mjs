// `npm run check -- documents`: every file and folder that a document names in backticks is there, and `docs/api.md` is what the
// declarations of the operations say.
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

const missing = DOCUMENTS.filter(name => name.endsWith('.md')).flatMap(name =>
  [...readFileSync(join(root, name), 'utf8').matchAll(OURS)]
    .filter(([, path]) => !existsSync(join(root, path)))
    .map(([, path]) => `${name} names ${path}, which is not there`),
);
try {
  // Reads TypeScript, which the node that starts this need not know.
  execFileSync(join(root, 'node_modules/.bin/node'), ['deploy/reference/write.ts', '--check'], { cwd: root });
} catch {
  missing.push('docs/api.md is not what the declarations say: `npm run docs` writes it');
}
for (const line of missing) console.error(line);
process.exitCode = missing.length === 0 ? 0 : 1;
