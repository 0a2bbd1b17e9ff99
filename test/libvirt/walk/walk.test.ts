import { needs } from '@folsom/core/testing';
import { SLOW } from '@folsom/testing';
import { describe, expect, it } from 'vitest';
import { cannotRun } from '../host-under-test.ts';
import { walked } from './walked.ts';

const SEED = 83;

/** A dozen boots on emulated processors: `npm run test:slow`. */
describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW) || cannotRun() !== undefined)(
  'a walk through the life of a real guest',
  () => {
    it('does everything once, and all is as it should be after each', async () => {
      const lines: string[] = [];
      const { counts, wrong } = await walked({
        seed: SEED,
        servers: 1,
        reboots: 1,
        asks: 'seldom',
        report: line => lines.push(line),
      });
      expect(wrong, lines.join('\n')).toEqual([]);
      expect(Object.values(counts).every(count => count > 0)).toBe(true);
    }, 3_000_000);
  },
);
