import { createHash, randomBytes } from 'node:crypto';
import { type Digest, directMd5, threadedMd5 } from '@folsom/host/md5-thread';
import { expect, it } from 'vitest';
import { sharedMd5 } from './same-upload.ts';

const shared = (bytes: Buffer): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer(bytes.length);
  bytes.copy(Buffer.from(memory));
  return memory;
};
const md5 = (...parts: Buffer[]): string => createHash('md5').update(Buffer.concat(parts)).digest('hex');

/** Digests that count what they are given. */
function counting(make: () => Digest) {
  let digested = 0;
  const wrap = (digest: Digest): Digest => ({
    ...digest,
    update: (memory, length) => {
      digested += length;
      return digest.update(memory, length);
    },
    fork: () => wrap(digest.fork()),
  });
  return { make: () => wrap(make()), digested: () => digested };
}

const parts = Array.from({ length: 20 }, () => randomBytes(1000));
const bring = (to: Digest, part: Buffer) => to.update(shared(part), part.length);

it.each([
  ['here', directMd5],
  ['in a thread', threadedMd5],
])('digests what three replicas bring once, %s', async (_where, make) => {
  const { make: counted, digested } = counting(make);
  const replicas = [1, 2, 3].map(() => sharedMd5('one', counted));
  // Each leads now and then.
  for (const [i, part] of parts.entries())
    await Promise.all([0, 1, 2].map(n => bring(replicas[(n + i) % 3]!, part)));
  expect(await Promise.all(replicas.map(one => one.finish()))).toEqual([1, 2, 3].map(() => md5(...parts)));
  expect(digested()).toBe(20 * 1000);
});

it.each([
  ['here', directMd5],
  ['in a thread', threadedMd5],
])(
  'a replica with other bytes, one with fewer and one with more have their own sums, %s',
  async (_w, make) => {
    const [same, other, fewer, more] = [1, 2, 3, 4].map(() => sharedMd5('two', make)) as [
      Digest,
      Digest,
      Digest,
      Digest,
    ];
    const changed = parts.map((part, i) => (i === 7 ? Buffer.from(part).fill(0, 999) : part));
    for (const [i, part] of parts.entries()) {
      await bring(same, part);
      await bring(other, changed[i]!);
      if (i < 5) await bring(fewer, part);
      await bring(more, part);
      if (i === 4) expect(await fewer.finish()).toBe(md5(...parts.slice(0, 5)));
    }
    const end = same.finish();
    await bring(more, parts[0]!);
    expect(await end).toBe(md5(...parts));
    expect(await other.finish()).toBe(md5(...changed));
    expect(await more.finish()).toBe(md5(...parts, parts[0]!));
  },
);

it('nobody waits for a replica that lags, comes late or ends without its bytes', async () => {
  const { make, digested } = counting(directMd5);
  const [first, lagging, ended] = [1, 2, 3].map(() => sharedMd5('three', make)) as [Digest, Digest, Digest];
  for (const part of parts) {
    await bring(first, part);
    if (part === parts[2]) ended.drop();
  }
  const late = sharedMd5('three', make);
  expect(await first.finish()).toBe(md5(...parts));
  for (const part of parts) await bring(lagging, part);
  expect(await lagging.finish()).toBe(md5(...parts));
  await bring(late, parts[0]!);
  expect(await late.finish()).toBe(md5(parts[0]!));
  expect(digested()).toBe(41 * 1000);
  // Another upload of that name begins anew.
  const again = sharedMd5('three', make);
  expect(await again.finish()).toBe(md5());
});
