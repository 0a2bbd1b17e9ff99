import { systemClock } from '@folsom/core';
import { accessTo } from './access.ts';
import { audit, makeUsages, setToNone, sweep, uncounted } from './audit.ts';
import type { Cloud } from './cloud.ts';
import type { Course } from './courses/course.ts';
import { EVERYDAY } from './courses/index.ts';
import { before, type Mixture } from './mixtures.ts';
import { isWhole, type Outcome } from './report.ts';
import { make, takenOver } from './take-over.ts';

/** Makes the mixture, uses it, and looks at what is left. A mixture that does not come up is an outcome too. */
export async function drive(cloud: Cloud, mixture: Mixture): Promise<Outcome> {
  const begun = systemClock.monotonic();
  const operations: { name: string; wrong?: string }[] = [];
  const done = (name: string, wrong?: string) =>
    operations.push(wrong === undefined ? { name } : { name, wrong });
  let left: string[] = [];
  try {
    const first = await taken(cloud, mixture);
    await cloud.turn(mixture);
    const access = await accessTo(cloud);
    await makeUsages(cloud.nova, access.demo.tenantId);
    for (const one of first) await one.run(access, done);
    await Promise.all(EVERYDAY.map(one => one.run(access, done)));
    const without = uncounted(networksOf(mixture));
    left = await audit(cloud.nova, without);
    await setToNone(cloud.nova, without);
  } catch (error) {
    done('the mixture', (error as Error).message);
  }
  const outcome = { mixture: mixture.name, operations, left, seconds: 0 };
  if (!isWhole(outcome)) await sweep(cloud.nova);
  const seconds = (systemClock.monotonic() - begun) / 1000;
  return { ...outcome, seconds };
}

/** Who had nova-network while the mixture was used. */
const networksOf = (mixture: Mixture) =>
  [mixture, ...(mixture.takesOver ? [before(mixture)] : [])].map(({ sides }) => sides.get('nova-network'));

/** What is done first where everything is taken over from the other side. */
async function taken(cloud: Cloud, mixture: Mixture): Promise<Course[]> {
  if (!mixture.takesOver) return [];
  await cloud.turn(before(mixture));
  const access = await accessTo(cloud);
  await makeUsages(cloud.nova, access.demo.tenantId);
  return takenOver(await make(access));
}
