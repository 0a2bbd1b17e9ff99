// `npm run torture -- --minutes N --seed S [--driver libvirt] [--clients N] [--faults kill,cut] [--without clock]`: see CONTRIBUTING.
import { parseArgs } from 'node:util';
import { systemRandom } from '@folsom/core';
import { populate } from './clients.ts';
import { startCloud } from './cloud.ts';
import { FAULTS } from './faults.ts';
import { torture } from './torture.ts';

const names = FAULTS.map(({ name }) => name);
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    driver: { type: 'string', default: 'fake' },
    clients: { type: 'string' },
    faults: { type: 'string', default: names.join(',') },
    without: { type: 'string', default: '' },
    'ports-offset': { type: 'string', default: '3000' },
  },
});
const seed = Number(values.seed ?? Number.parseInt(systemRandom.hex(8).slice(0, 7), 16));
const without = values.without.split(',');
const chosen = values.faults
  .split(',')
  .filter(name => name !== '' && name !== 'none' && !without.includes(name));
const strange = [...chosen, ...without.filter(Boolean)].filter(name => !names.includes(name));
const clients = Number(values.clients ?? (values.driver === 'libvirt' ? 6 : 20));
const numbers = [seed, Number(values.minutes), clients, Number(values['ports-offset'])];
const driver = (['fake', 'libvirt'] as const).find(name => name === values.driver);
if (strange.length > 0 || driver === undefined || numbers.some(number => !Number.isFinite(number))) {
  console.error(
    `usage: npm run torture -- [--minutes N] [--seed S] [--driver fake | libvirt] [--clients N] [--ports-offset N] [--faults ${names.join(',')} | none] [--without ...]`,
  );
  process.exit(2);
}
const cloud = await startCloud({ seed, driver, portsOffset: Number(values['ports-offset']) });
let wrong = 1;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void cloud.stop().finally(() => process.exit(130)));
try {
  const ready = await populate(cloud);
  const found = await torture(cloud, ready, {
    seed,
    seconds: Number(values.minutes) * 60,
    clients,
    faults: chosen,
    patienceMs: 180_000,
    report: line => console.log(line),
  });
  wrong = found.wrong.length;
  // What the processes said is worth more than the sentence.
  if (wrong > 0) console.log(`logs: ${await cloud.keepLogs()}`);
} finally {
  await cloud.stop();
}
process.exit(wrong === 0 ? 0 : 1);
