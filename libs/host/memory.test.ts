import { expect, it } from 'vitest';
import { giveBackMemory } from './memory.ts';

const MIB = 1024 * 1024;

it('gives back what lies between pieces still in use', async () => {
  const kept: Buffer[] = [];
  let dropped: Buffer[] = [];
  for (let i = 0; i < 200 * 16; i++) {
    dropped.push(Buffer.alloc(65_536, 1));
    if (i % 64 === 0) kept.push(Buffer.alloc(4096, 1));
  }
  const full = process.memoryUsage.rss();
  dropped = [];
  await giveBackMemory();
  expect(full - process.memoryUsage.rss()).toBeGreaterThan(150 * MIB);
  expect(kept.every(piece => piece[0] === 1)).toBe(true);
});
