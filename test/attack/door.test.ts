import { expect, it } from 'vitest';
import { part } from './door.ts';

it('no spelling of an inner address leads there, through anything that takes a place to go to', async () => {
  const lines: string[] = [];
  await part.run({ seed: 10, count: 500, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
