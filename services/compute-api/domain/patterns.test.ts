import { expect, it } from 'vitest';
import { likeOf } from './patterns.ts';

it.each([
  ['web', '%web%'],
  ['^web', 'web%'],
  ['web$', '%web'],
  ['^web$', 'web'],
  ['10.0.2', '%10_0_2%'],
  ['10\\.0', '%10.0%'],
  ['a.*b', '%a%b%'],
  ['a.+b', '%a_%b%'],
  ['50%_!', '%50!%!_!!%'],
  ['', '%%'],
])('%s is like %s', (pattern, like) => {
  expect(likeOf(pattern)).toBe(like);
});

it.each(['(a+)+$', '[a-z]', 'a|b', 'a{1000000}', '\\', '\\d', 'x'.repeat(256), '^^'])(
  'refuses %s',
  pattern => {
    expect(() => likeOf(pattern)).toThrow();
  },
);
