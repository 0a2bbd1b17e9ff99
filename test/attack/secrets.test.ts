import { expect, it } from 'vitest';
import { part } from './secrets.ts';

it('no secret of a request stands in a log line, in an answer to another, or in a file that others can read', async () => {
  const lines: string[] = [];
  await part.run({ seed: 10, count: 1000, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
