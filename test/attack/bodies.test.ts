import { expect, it } from 'vitest';
import { part } from './bodies.ts';

it('every value in every place of every body is answered, and never by an error of ours', async () => {
  const lines: string[] = [];
  await part.run({ seed: 9, count: 1200, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
