import { expect, it } from 'vitest';
import { systemRandom } from './random.ts';

it('gives every byte out once', () => {
  const seen = new Set<string>();
  // Sizes that do not divide the stock, and some that are larger than it.
  for (let i = 0; i < 3000; i++) seen.add(systemRandom.bytes(16 + (i % 7)).toString('hex'));
  for (const size of [512, 513, 4096, 10_000]) seen.add(systemRandom.bytes(size).toString('hex'));
  expect(seen.size).toBe(3004);
  const kept = systemRandom.bytes(16);
  const before = kept.toString('hex');
  for (let i = 0; i < 1000; i++) systemRandom.bytes(16);
  expect(kept.toString('hex')).toBe(before);
  expect(kept.equals(Buffer.alloc(16))).toBe(false);
});

it('has no favourites', () => {
  const counts = new Array<number>(256).fill(0);
  for (let i = 0; i < 10_000; i++) for (const byte of systemRandom.bytes(16)) counts[byte]! += 1;
  // 625 expected each; six standard deviations are 150.
  expect(Math.min(...counts)).toBeGreaterThan(475);
  expect(Math.max(...counts)).toBeLessThan(775);
});
