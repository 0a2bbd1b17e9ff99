import { expect, it } from 'vitest';
import { watchMemory } from './memory.ts';

const MEGABYTE = 2 ** 20;

it('gives memory back when there is rest, and not again before much has gathered', async () => {
  let [now, look] = [0, () => {}];
  const clock = {
    monotonic: () => now,
    every: (_ms: number, work: () => void) => {
      look = work;
      const cancel = () => {
        look = () => {};
      };
      return { cancel };
    },
  };
  const pass = async (seconds: number) => {
    for (let left = seconds; left > 0; left -= 5) {
      now += 5_000;
      look();
      await Promise.resolve().then(() => {});
    }
  };
  let [busy, resident, taken, kept] = [0, 400 * MEGABYTE, 0, 0];
  const given: string[] = [];
  const watch = watchMemory(clock, {
    busyMs: () => busy,
    resident: () => resident,
    giveBack: async () => {
      given.push('some');
      resident = 200 * MEGABYTE + taken + kept;
    },
    giveBackAll: async () => {
      given.push('all');
      resident = 200 * MEGABYTE + taken;
    },
  });
  const gives = async (seconds: number): Promise<string[]> => {
    given.length = 0;
    await pass(seconds);
    return given;
  };
  for (let looks = 0; looks < 6; looks++) {
    busy += 3_000;
    expect(await gives(5)).toEqual([]);
  }
  kept = 50 * MEGABYTE;
  expect(await gives(60)).toEqual(['some', 'all']);
  resident += 15 * MEGABYTE;
  expect(await gives(60)).toEqual([]);
  // Less by itself: what gathers is more than this.
  resident = 150 * MEGABYTE;
  expect(await gives(30)).toEqual([]);
  resident = 175 * MEGABYTE;
  kept = 0;
  taken = -50 * MEGABYTE;
  expect(await gives(60)).toEqual(['some']);
  // Work that begins meanwhile takes memory, which is to be given back after it.
  taken = 100 * MEGABYTE;
  resident += 200 * MEGABYTE;
  expect(await gives(5)).toEqual(['some']);
  taken = 0;
  busy += 3_000;
  expect(await gives(5)).toEqual([]);
  expect(await gives(30)).toEqual(['some', 'all']);
  expect(await gives(60)).toEqual([]);
  watch.stop();
  resident += 500 * MEGABYTE;
  expect(await gives(60)).toEqual([]);
});
