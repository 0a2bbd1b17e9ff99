import { serverMissing } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { populate } from './clients.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type Ready, torture } from './torture.ts';

const SECONDS = 30;
const OFFSET = -2300;

/** A short run of `npm run torture`. */
describe.skipIf(serverMissing('mariadb') || serverMissing('rabbit'))(
  'a tortured cloud',
  { timeout: 600_000 },
  () => {
    let cloud: Cloud;
    let ready: Ready;

    beforeAll(async () => {
      cloud = await startCloud({ seed: 1, portsOffset: OFFSET });
      ready = await populate(cloud);
    }, 400_000);
    afterAll(() => cloud?.stop(), 120_000);

    it.each([1])('seed %i: loses nothing, and comes to rest', async seed => {
      const lines: string[] = [];
      const found = await torture(cloud, ready, {
        ...{ seed, seconds: SECONDS, clients: 20, patienceMs: 120_000 },
        report: line => lines.push(line),
      });
      console.info(lines.join('\n'));
      if (found.wrong.length > 0) console.info(`logs: ${await cloud.keepLogs()}`);
      expect(found.wrong, `seed ${seed}`).toEqual([]);
      expect(found.faults).toBeGreaterThan(0);
      expect(found.operations).toBeGreaterThan(100);
    });
  },
);
