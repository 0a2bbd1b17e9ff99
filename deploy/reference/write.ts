import { readFileSync, writeFileSync } from 'node:fs';
import { apiPage } from './api.ts';

const FILE = new URL('../../docs/api.md', import.meta.url);

// `npm run docs`; with --check it writes nothing and fails where the page is another.
const page = await apiPage();
if (!process.argv.includes('--check')) writeFileSync(FILE, page);
else if (readFileSync(FILE, 'utf8') !== page) process.exitCode = 1;
