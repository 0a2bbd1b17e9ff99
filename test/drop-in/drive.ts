import { systemClock } from '@folsom/core';
import { accessTo } from './access.ts';
import { audit, makeUsages, setToNone, sweep, uncounted } from './audit.ts';
import type { Cloud } from './cloud.ts';
import type { Course } from './courses/course.ts';
import { EVERYDAY } from './courses/index.ts';
import { before, type Mixture } from './mixtures.ts';
import { isWhole, type Outcome, type Spent, type Tried } from './report.ts';
import { make, takenOver } from './take-over.ts';

/** Makes the mixture, uses it, and looks at what is left. A mixture that does not come up is an outcome too. */
export async function drive(cloud: Cloud, mixture: Mixture): Promise<Outcome> {
  const begun = systemClock.monotonic();
  const since = (then: number) => (systemClock.monotonic() - then) / 1000;
  const operations: Tried[] = [];
  const done = (tried: Tried) => void operations.push(tried);
  const exchanged: Spent[] = [];
  const seconds = { all: 0, exchange: 0, settle: 0 };
  const turn = async (to: Mixture) => {
    const then = systemClock.monotonic();
    exchanged.push(...(await cloud.turn(to)));
    seconds.exchange += since(then);
  };
  let left: string[] = [];
  try {
    const first = await taken(cloud, mixture, turn);
    await turn(mixture);
    const access = await accessTo(cloud);
    await makeUsages(cloud.nova, access.demo.tenantId);
    for (const one of first) await one.run(access, done);
    await Promise.all(EVERYDAY.map(one => one.run(access, done)));
    const then = systemClock.monotonic();
    const without = uncounted(networksOf(mixture));
    left = await audit(cloud.nova, without);
    await setToNone(cloud.nova, without);
    seconds.settle = since(then);
  } catch (error) {
    done({ name: 'the mixture', seconds: since(begun), wrong: (error as Error).message });
  }
  const outcome = { mixture: mixture.name, operations, exchanged, left, seconds };
  if (!isWhole(outcome)) await sweep(cloud.nova);
  seconds.all = since(begun);
  return outcome;
}

/** Who had nova-network while the mixture was used. */
const networksOf = (mixture: Mixture) =>
  [mixture, ...(mixture.takesOver ? [before(mixture)] : [])].map(({ sides }) => sides.get('nova-network'));

/** What is done first where everything is taken over from the other side. */
async function taken(
  cloud: Cloud,
  mixture: Mixture,
  turn: (to: Mixture) => Promise<void>,
): Promise<Course[]> {
  if (!mixture.takesOver) return [];
  await turn(before(mixture));
  const access = await accessTo(cloud);
  await makeUsages(cloud.nova, access.demo.tenantId);
  return takenOver(await make(access));
}
