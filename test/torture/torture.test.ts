import { seededRandom, systemClock } from '@folsom/core';
import { serverMissing } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORT_OFFSETS } from '../port-offsets.ts';
import { populate } from './clients.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { rounds } from './draw.ts';
import { FAULTS, possibleFaults } from './faults.ts';
import { type Ready, torture } from './torture.ts';

/** Of each of two parts, the second of which goes on until every kind of fault has been drawn. */
const SECONDS = 45;
const OFFSET = PORT_OFFSETS.torture;
const DAY_MS = 86_400_000;
const ofToday = Math.floor(systemClock.now() / DAY_MS);

it('draws every kind before one comes again, and no two that are in each other\u2019s way', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const draws = rounds(FAULTS, seededRandom(seed), new Set(), seed % 2 === 0);
    for (let bag = 0; bag < 3; bag++) {
      const seen: string[] = [];
      while (seen.length < FAULTS.length) {
        const drawn = draws.next().value ?? [];
        expect(new Set(drawn.map(({ thing }) => thing)).size).toBe(drawn.length);
        seen.push(...drawn.map(({ name }) => name));
      }
      expect(seen.sort()).toEqual(FAULTS.map(({ name }) => name).sort());
    }
  }
});

/** A short run of `npm run torture`. */
describe.skipIf(serverMissing('mariadb') || serverMissing('rabbit'))(
  'a tortured cloud',
  { timeout: 900_000 },
  () => {
    let cloud: Cloud;
    let ready: Ready;
    let owed: Set<string>;

    beforeAll(async () => {
      cloud = await startCloud({ seed: 1, portsOffset: OFFSET });
      ready = await populate(cloud);
      owed = new Set(possibleFaults(cloud).map(({ name }) => name));
    }, 400_000);
    afterAll(() => cloud?.stop(), 120_000);

    it.each([
      [1, false],
      [ofToday, true],
    ])('seed %i: loses nothing, and comes to rest', async (seed, whole) => {
      const lines: string[] = [];
      const found = await torture(cloud, ready, {
        ...{ seed, seconds: SECONDS, clients: 20, patienceMs: 120_000, owed, whole, dense: true },
        report: line => lines.push(line),
      });
      console.info(lines.join('\n'));
      if (found.wrong.length > 0) console.info(`logs: ${await cloud.keepLogs()}`);
      expect(found.wrong, `seed ${seed}`).toEqual([]);
      expect(found.faults.size).toBeGreaterThan(0);
      expect(found.operations).toBeGreaterThan(100);
      if (whole) expect([...owed]).toEqual([]);
    });
  },
);
