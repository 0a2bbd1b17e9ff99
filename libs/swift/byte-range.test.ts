import { expect, it } from 'vitest';
import { readRange } from './byte-range.ts';

const part = (start: number, end: number) => ({ kind: 'part', start, end });
const whole = { kind: 'whole' };
const none = (shown: string) => ({ kind: 'unsatisfiable', shown });

it.each([
  ['bytes=0-4', 10, part(0, 5)],
  ['bytes=0-0', 10, part(0, 1)],
  ['bytes=9-9', 10, part(9, 10)],
  ['bytes=5-', 10, part(5, 10)],
  ['bytes=-3', 10, part(7, 10)],
  ['bytes=-10', 10, part(0, 10)],
  ['bytes=-1', 1, part(0, 1)],
  ['bytes=-0', 10, part(0, 10)],
  ['bytes=9-100', 10, part(9, 10)],
  ['bytes=+1-2', 10, part(1, 3)],
  [' BYTES = 1 - 2 ', 10, part(1, 3)],
  ['bytes=10-', 10, none('bytes=10-')],
  ['bytes=-11', 10, none('bytes=-11')],
  ['bytes=0-1, 3-4', 10, none('bytes=0-1,3-4')],
  ['bytes=0-99999999999999999999', 10, part(0, 10)],
  ['bytes=99999999999999999999-', 10, none('bytes=99999999999999999999-')],
  ['bytes=-99999999999999999999', 10, none('bytes=-99999999999999999999')],
  ['bytes=0-', 0, none('bytes=0-')],
  ['bytes=-1', 0, none('bytes=-1')],
  ['bytes=5-6,0-1', 10, whole],
  ['bytes=5-,7-8', 10, whole],
  ['bytes=-1,-2', 10, whole],
  ['bytes=5-2', 10, whole],
  ['bytes=- 3', 10, whole],
  ['bytes= -3', 10, whole],
  ['bytes=a-b', 10, whole],
  ['bytes=5', 10, whole],
  ['bytes=', 10, whole],
  ['items=0-4', 10, whole],
  [undefined, 10, whole],
])('%s of %i', (header, size, expected) => {
  expect(readRange(header, size)).toEqual(expected);
});
