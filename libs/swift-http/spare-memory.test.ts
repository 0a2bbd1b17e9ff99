import { expect, it } from 'vitest';
import { spareMemory } from './spare-memory.ts';

const MIB = 1024 * 1024;

it('gives memory back once, when large bodies have passed and nothing large moves any more', () => {
  let given = 0;
  const spare = spareMemory(async () => void given++);
  let now = 0;
  const seconds = (count: number, bytes: number) => {
    for (let i = 0; i < count; i++) {
      spare.moved(bytes);
      now += 1000;
      spare.tick(now);
      // Another server of the same process.
      spare.tick(now + 1);
    }
  };
  seconds(100, 100_000);
  expect(given).toBe(0);
  seconds(10, 100 * MIB);
  seconds(4, 0);
  expect(given).toBe(0);
  seconds(1, 0);
  expect(given).toBe(1);
  seconds(100, 1000);
  expect(given).toBe(1);
});
