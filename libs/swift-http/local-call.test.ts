import { createHash } from 'node:crypto';
import { systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { internalText } from './calls.ts';
import { openHere } from './local-call.ts';
import { answer, intoMemory, type ServerHandler } from './message.ts';
import { isLent, lendSlab, releaseSlab, SLAB_BYTES, takeSlab } from './slabs.ts';

const PIECES = 40;
const call = {
  method: 'PUT',
  path: '/o',
  headers: [['Content-Length', String(PIECES * SLAB_BYTES)]] as [string, string][],
  connectTimeoutMs: 5000,
  timeoutMs: 5000,
};
const target = { ip: '127.0.0.1', port: 1 };

/** Reads all, as a storage server does: into memory of its own, or piece by piece. */
const sums =
  (how: 'into' | 'pieces'): ServerHandler =>
  async request => {
    const sum = createHash('md5');
    const next = intoMemory(request.body);
    for (let size = 0; size < PIECES * SLAB_BYTES; ) {
      // Others come in between.
      await new Promise(resolve => setImmediate(resolve));
      if (how === 'into') {
        const memory = Buffer.alloc(300_000);
        const came = await next(memory);
        sum.update(memory.subarray(0, came));
        size += came;
        continue;
      }
      const piece = await request.body.read();
      if (!piece) break;
      sum.update(piece);
      size += piece.length;
      request.body.free?.(piece);
    }
    return answer(201, request, { body: sum.digest('hex') });
  };

it('pieces that three servers of the process read at their own pace are used again once all have, and not before', async () => {
  const uploads = await Promise.all(
    (['into', 'pieces', 'into'] as const).map(how => openHere(sums(how), target, call, systemClock)),
  );
  const wanted = createHash('md5');
  const used = new Set<SharedArrayBuffer>();
  for (let n = 0; n < PIECES; n++) {
    const slab = takeSlab();
    used.add(slab.memory);
    slab.bytes.fill(n);
    wanted.update(slab.bytes);
    const piece = lendSlab(slab, SLAB_BYTES);
    await Promise.all(uploads.map(upload => upload.write(piece)));
    expect(uploads.some(upload => upload.keeps(piece))).toBe(false);
    releaseSlab(piece);
  }
  const sum = wanted.digest('hex');
  for (const upload of uploads) expect((await internalText(await upload.finish())).toString()).toBe(sum);
  expect(used.size).toBeLessThan(10);
});

it('what nobody will read any more is free', async () => {
  const { promise: answered, resolve: answerNow } = Promise.withResolvers<void>();
  const upload = await openHere(
    async request => {
      const first = await request.body.read();
      if (first) request.body.free?.(first);
      await answered;
      return answer(507, request);
    },
    target,
    call,
    systemClock,
  );
  const piece = lendSlab(takeSlab(), SLAB_BYTES);
  await upload.write(piece);
  void upload.write(piece);
  releaseSlab(piece);
  expect(isLent(piece)).toBe(true);
  answerNow();
  await upload.finish();
  expect(isLent(piece)).toBe(false);
});

it('plain memory belongs to its reader', async () => {
  const upload = await openHere(sums('into'), target, call, systemClock);
  expect(upload.keeps(Buffer.alloc(100))).toBe(true);
  upload.abort();
});
