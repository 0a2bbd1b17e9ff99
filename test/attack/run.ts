// `npm run attack -- [PART...] [--count N] [--seed N]`: N requests by all parts named, or by all there are, with the seed that
// repeats a finding. Exits 1 when something gave way; the other parts are tried all the same.
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
  options: { count: { type: 'string', default: '40000' }, seed: { type: 'string' } },
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
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const gaveWay: string[] = [];
let sent = 0;
for (const { name, share, run } of chosen) {
  const mine = Math.ceil((count * share) / shares);
  const started = performance.now();
  try {
    sent += await run({ seed, count: mine, report: line => console.log(line) });
  } catch (error) {
    gaveWay.push(name);
    console.log(`${name}: ${(error as Error).message}`);
  }
  console.log(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
console.log(
  `${sent} requests, seed ${seed}, ${gaveWay.length === 0 ? 'nothing gave way' : `gave way: ${gaveWay.join(', ')}`}`,
);
// What a part that failed has left open holds nobody up.
process.exit(gaveWay.length === 0 ? 0 : 1);
