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
  let [busy, resident, given, taken] = [0, 400 * MEGABYTE, 0, 0];
  const watch = watchMemory(clock, {
    busyMs: () => busy,
    resident: () => resident,
    giveBack: async () => {
      given += 1;
      resident = 250 * MEGABYTE + taken;
    },
  });
  for (let looks = 0; looks < 6; looks++) {
    busy += 3_000;
    await pass(5);
  }
  expect(given).toBe(0);
  await pass(15);
  expect(given).toBe(1);
  resident += 15 * MEGABYTE;
  await pass(60);
  expect(given).toBe(1);
  resident += 10 * MEGABYTE;
  await pass(15);
  expect(given).toBe(2);
  // Work that begins meanwhile takes memory, which is to be given back after it.
  taken = 100 * MEGABYTE;
  resident += 200 * MEGABYTE;
  await pass(5);
  expect(given).toBe(3);
  taken = 0;
  busy += 3_000;
  await pass(15);
  expect(given).toBe(4);
  await pass(60);
  expect(given).toBe(4);
  watch.stop();
  resident += 500 * MEGABYTE;
  await pass(60);
  expect(given).toBe(4);
});
