// `npm run drop-in -- --sources DIR --python VENV/bin/python [--only WORD,WORD] [--slowest N]`: see CONTRIBUTING.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { populate } from './access.ts';
import { startCloud } from './cloud.ts';
import { drive } from './drive.ts';
import { chosenMixtures, MIXTURES } from './mixtures.ts';
import { isWhole, type Outcome, outcomeLines, slowestLines, summaryLine } from './report.ts';

const { values } = parseArgs({
  options: {
    sources: { type: 'string' },
    python: { type: 'string' },
    only: { type: 'string', default: '' },
    slowest: { type: 'string', default: '0' },
    list: { type: 'boolean', default: false },
  },
});
if (values.list) {
  for (const { name } of MIXTURES) console.log(name);
  process.exit(0);
}
if (values.sources === undefined || values.python === undefined) {
  console.error(
    'usage: npm run drop-in -- --sources DIR --python VENV/bin/python [--only WORD,WORD] [--slowest N] | --list\n' +
      'DIR holds keystone, glance and nova 2012.2.4 and swift 1.7.4; VENV what their tools/pip-requires name, and MySQLdb.',
  );
  process.exit(2);
}
const mixtures = chosenMixtures(values.only.split(',').filter(Boolean));
const cloud = await startCloud(resolve(values.sources), resolve(values.python));
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted = true;
    void cloud.stop().finally(() => process.exit(130));
  });
const outcomes: Outcome[] = [];
try {
  const keystone = new Map([['keystone', 'original' as const]]);
  await cloud.turn({ name: 'keystone', sides: keystone, takesOver: false });
  await populate(cloud);
  for (const mixture of mixtures) {
    const outcome = await drive(cloud, mixture);
    if (interrupted) break;
    outcomes.push(outcome);
    for (const line of [...outcomeLines(outcome), ...slowestLines(outcome, Number(values.slowest))])
      console.log(line);
  }
  if (!interrupted) console.log(summaryLine(outcomes));
} finally {
  // What the programs said is worth more than the sentence.
  if (!interrupted && (outcomes.length < mixtures.length || !outcomes.every(isWhole)))
    console.log(`logs: ${await cloud.keepLogs()}`);
  await cloud.stop();
}
process.exit(outcomes.every(isWhole) ? 0 : 1);
