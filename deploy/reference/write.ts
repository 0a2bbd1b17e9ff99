import { writeFileSync } from 'node:fs';
import { apiPage } from './api.ts';

// `npm run docs`
writeFileSync(new URL('../../docs/api.md', import.meta.url), apiPage());
