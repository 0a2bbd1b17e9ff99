// `npm run check -- documents`: every file and folder that a document names in backticks is there.
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
for (const line of missing) console.error(line);
process.exitCode = missing.length === 0 ? 0 : 1;
