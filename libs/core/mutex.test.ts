import { expect, it } from 'vitest';
import { keyedTurns } from './mutex.ts';

it('lets so many of a key work at a time, in their order, and nobody wait for ever', async () => {
  const timers = new Set<() => void>();
  const after = (_ms: number, fire: () => void) => {
    timers.add(fire);
    return { cancel: () => void timers.delete(fire) };
  };
  const turns = keyedTurns(2, 60_000, { after });
  const settled = () => new Promise(resolve => setImmediate(resolve));
  const working: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    working.push(name);
    return new Promise<string>((resolve, reject) =>
      ends.set(name, () => (name === 'a1' ? reject(new Error(name)) : resolve(name))),
    );
  };
  const done = ['a1', 'a2', 'a3', 'a4', 'a5'].map(name => turns('a', work(name)));
  const other = turns('b', work('b1'));
  await settled();
  expect(working).toEqual(['a1', 'a2', 'b1']);
  ends.get('a1')!();
  await expect(done[0]).rejects.toThrow('a1');
  await settled();
  expect(working).toEqual(['a1', 'a2', 'b1', 'a3']);
  ends.get('b1')!();
  expect(await other).toBe('b1');
  for (const fire of timers) fire();
  await settled();
  expect(working.slice(4)).toEqual(['a4', 'a5']);
  for (const name of ['a2', 'a3', 'a4', 'a5']) ends.get(name)!();
  expect(await Promise.all(done.slice(1))).toEqual(['a2', 'a3', 'a4', 'a5']);
  // Nobody holds a turn that was not given.
  const again = ['a6', 'a7', 'a8'].map(name => turns('a', work(name)));
  await settled();
  expect(working.slice(6)).toEqual(['a6', 'a7']);
  ends.get('a6')!();
  await expect.poll(() => ends.has('a8')).toBe(true);
  for (const name of ['a7', 'a8']) ends.get(name)!();
  await Promise.all(again);
});
