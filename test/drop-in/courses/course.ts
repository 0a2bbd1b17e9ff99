import { systemClock } from '@folsom/core';
import type { Access } from '../access.ts';
import type { Tried } from '../report.ts';

/** What one operation does; it throws a sentence when something is wrong. */
export type Operation<Bag> = (access: Access, bag: Bag) => Promise<void>;

/** Operations one after the other; courses go on beside each other. */
export interface Course {
  name: string;
  /** How many it will try. */
  size: number;
  /** Tries them all, also after one has failed: what it leaves must be taken away. */
  run(access: Access, done: (tried: Tried) => void): Promise<void>;
}

/**
 * @param bag what operations leave for later ones: its values are there once the operation that makes them has passed
 * @param operations in their order, by name
 */
export const course = <Bag>(
  name: string,
  bag: () => Bag,
  operations: Readonly<Record<string, Operation<Bag>>>,
): Course => ({
  name,
  size: Object.keys(operations).length,
  run: async (access, done) => {
    const own = bag();
    for (const [operation, work] of Object.entries(operations)) {
      const begun = systemClock.monotonic();
      const tried = (wrong?: string) =>
        done({
          ...{ name: `${name}: ${operation}`, seconds: (systemClock.monotonic() - begun) / 1000 },
          ...(wrong === undefined ? {} : { wrong }),
        });
      try {
        await work(access, own);
        tried();
      } catch (error) {
        tried((error as Error).message);
      }
    }
  },
});
