import { readFileSync, writeFileSync } from 'node:fs';
import { apiPage } from './api.ts';
import { metricsPage } from './metrics.ts';
import { optionsPage } from './options.ts';

const API = new URL('../../docs/api.md', import.meta.url);
const METRICS = new URL('../../docs/metrics.md', import.meta.url);
const OPTIONS = new URL('../../docs/options.md', import.meta.url);

// `npm run docs`; with --check it writes nothing and fails where a page is another.
const api = await apiPage();
const metrics = metricsPage();
const options = optionsPage();
if (!process.argv.includes('--check')) {
  writeFileSync(API, api);
  writeFileSync(METRICS, metrics);
  writeFileSync(OPTIONS, options);
} else {
  const stale = [
    ...(readFileSync(API, 'utf8') === api ? [] : ['docs/api.md']),
    ...(readFileSync(METRICS, 'utf8') === metrics ? [] : ['docs/metrics.md']),
    ...(readFileSync(OPTIONS, 'utf8') === options ? [] : ['docs/options.md']),
  ];
  if (stale.length > 0) {
    process.stderr.write(`${stale.join(' and ')}: npm run docs writes what the declarations say\n`);
    process.exitCode = 1;
  }
}
