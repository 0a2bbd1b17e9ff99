import { expect, it } from 'vitest';
import { FramedBody } from './framed-body.ts';
import { lendSlab, takeSlab } from './slabs.ts';

const hooks = { resume() {}, wait() {}, unwait() {}, done() {}, abandon() {} };

it('frees the memory of a piece that is all its own, and of no other', async () => {
  const own = Buffer.allocUnsafeSlow(65_536);
  const shared = Buffer.allocUnsafeSlow(65_536);
  const small = Buffer.allocUnsafeSlow(100);
  const pieces = [own, shared.subarray(0, 40_000), small, lendSlab(takeSlab(), 50_000)];
  const body = new FramedBody(1_000_000, 1_000_000, hooks);
  for (const piece of pieces) body.feed(piece);
  const lengths: number[] = [];
  for (const piece of pieces) {
    expect(await body.read()).toBe(piece);
    body.free(piece);
    lengths.push(piece.length);
  }
  expect(lengths).toEqual([0, 40_000, 100, 50_000]);
  expect(shared.length).toBe(65_536);
});
