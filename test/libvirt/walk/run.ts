// `npm run walk -- --minutes N --seed S [--servers N] | --once`: see CONTRIBUTING.
import { parseArgs } from 'node:util';
import { systemRandom } from '@folsom/core';
import { cannotRun } from '../host-under-test.ts';
import { walked } from './walked.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string' },
    servers: { type: 'string', default: '2' },
    once: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Number.parseInt(systemRandom.hex(7), 16));
const [minutes, servers] = [Number(values.minutes), Number(values.servers)];
if (![seed, minutes, servers].every(number => Number.isFinite(number)) || servers < 1) {
  console.error('usage: npm run walk -- [--minutes N] [--seed S] [--servers N] [--once]');
  process.exit(2);
}
if (cannotRun() !== undefined) process.exit(2);
console.log(`seed ${seed}`);
const { counts, wrong } = await walked({
  seed,
  servers,
  reboots: values.once ? 1 : 3,
  asks: values.once ? 'seldom' : 'always',
  ...(values.once ? {} : { seconds: minutes * 60 }),
  report: line => console.log(line),
  keep: true,
});
const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
console.log(`seed ${seed}: ${total} operations`);
for (const [name, count] of Object.entries(counts)) console.log(`${String(count).padStart(5)}  ${name}`);
for (const sentence of wrong) console.log(`WRONG ${sentence}`);
process.exit(wrong.length === 0 ? 0 : 1);
