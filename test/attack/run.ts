// `npm run attack -- [PART] [--count N] [--seed N]`: every part with its seed, so that a finding can be repeated.
import { parseArgs } from 'node:util';
import { systemRandom } from '@folsom/core';
import { part as authorization } from './authorization.ts';
import { part as bodies } from './bodies.ts';
import { part as documents } from './documents.ts';
import { part as door } from './door.ts';
import { part as http } from './http.ts';
import { part as images } from './images.ts';
import { part as objects } from './objects.ts';
import type { Part } from './part.ts';
import { part as secrets } from './secrets.ts';

const PARTS: readonly Part[] = [authorization, bodies, documents, door, http, images, objects, secrets];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string', default: '5000' }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Number.parseInt(systemRandom.hex(8).slice(0, 7), 16));
const count = Number(values.count);
const chosen = PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0 || !Number.isSafeInteger(count) || !Number.isSafeInteger(seed)) {
  console.error(
    `usage: npm run attack -- [${PARTS.map(({ name }) => name).join(' | ')}] [--count N] [--seed N]`,
  );
  process.exit(2);
}
console.log(`seed ${seed}`);
for (const { run } of chosen) await run({ seed, count, report: line => console.log(line) });
