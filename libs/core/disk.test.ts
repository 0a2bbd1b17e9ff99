import { expect, it } from 'vitest';
import { isDiskFull, requireRoom } from './disk.ts';

const coded = (code: string | number): Error =>
  Object.assign(new Error('x'), typeof code === 'string' ? { code } : { errno: code });

it('knows a full disk by what file systems and databases say of it, also as a cause', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'SQLITE_FULL', 1021, 1114]) {
    expect(isDiskFull(coded(code))).toBe(true);
    expect(isDiskFull(new Error('outer', { cause: new Error('inner', { cause: coded(code) }) }))).toBe(true);
  }
  const circle = new Error('round');
  circle.cause = circle;
  for (const other of [coded('EIO'), coded(1062), circle, null, undefined, 'ENOSPC']) {
    expect(isDiskFull(other)).toBe(false);
  }
});

it('says how little is left', async () => {
  const having = (mib: number) => async () => ({ bavail: mib * 256, bsize: 4096 });
  await requireRoom('/srv', having(64));
  await expect(requireRoom('/srv', having(63))).rejects.toThrow('the disk of /srv is full: 63 MiB are free');
  await requireRoom('/nowhere', async () => {
    throw coded('ENOENT');
  });
});
