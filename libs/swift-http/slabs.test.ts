import { expect, it } from 'vitest';
import {
  dropReadySlabs,
  giveSlab,
  isLent,
  lendSlab,
  releaseSlab,
  SLAB_BYTES,
  type Slab,
  takeSlab,
} from './slabs.ts';

it('hands out a slab again only after everybody has let go of it', () => {
  const slab = takeSlab();
  const chunk = lendSlab(slab, 1000, 2);
  expect(chunk.length).toBe(1000);
  releaseSlab(chunk);
  const other = takeSlab();
  expect(other.memory).not.toBe(slab.memory);
  releaseSlab(chunk);
  expect(isLent(chunk)).toBe(false);
  expect(takeSlab().memory).toBe(slab.memory);
});

it('keeps what is let go of in parts, or twice', () => {
  const slab = takeSlab();
  const chunk = lendSlab(slab, SLAB_BYTES);
  releaseSlab(chunk.subarray(0, 10));
  expect(takeSlab().memory).not.toBe(slab.memory);
  releaseSlab(chunk);
  releaseSlab(chunk);
  expect(takeSlab().memory).toBe(slab.memory);
  expect(takeSlab().memory).not.toBe(slab.memory);
  releaseSlab(Buffer.alloc(5));
});

/** How many of those that are given back now are handed out again. */
const found = (slabs: readonly Slab[]): number => {
  const again = Array.from({ length: slabs.length }, () => takeSlab());
  return again.filter(slab => slabs.includes(slab)).length;
};
const many = (count: number) => Array.from({ length: count }, () => takeSlab());

it('keeps as many slabs as are needed at a time, and few once the process is at rest', () => {
  const slabs = many(200);
  for (const slab of slabs) giveSlab(slab);
  expect(found(slabs)).toBe(200);
  for (const slab of slabs) giveSlab(slab);
  dropReadySlabs();
  expect(found(slabs)).toBe(32);
});

it('lets go of those that nobody needs any more, while others are used', () => {
  const slabs = many(400);
  for (const slab of slabs) giveSlab(slab);
  for (let round = 0; round < 2000; round++) giveSlab(takeSlab());
  const left = found(slabs);
  expect(left).toBeGreaterThanOrEqual(32);
  expect(left).toBeLessThan(50);
});
