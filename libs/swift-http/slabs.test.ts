import { expect, it } from 'vitest';
import { giveSlab, isLent, lendSlab, releaseSlab, SLAB_BYTES, takeSlab } from './slabs.ts';

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

it('does not keep slabs without end', () => {
  const many = Array.from({ length: 200 }, () => takeSlab());
  for (const slab of many) giveSlab(slab);
  const again = Array.from({ length: 200 }, () => takeSlab());
  expect(again.filter(slab => many.includes(slab)).length).toBe(32);
});
