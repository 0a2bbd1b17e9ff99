import { expect, it } from 'vitest';
import { part } from './authorization.ts';

it('nobody is told or changes what is not his, through any operation of any service', async () => {
  const lines: string[] = [];
  await part.run({ seed: 8, count: 1200, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
