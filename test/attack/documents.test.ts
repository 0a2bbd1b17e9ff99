import { expect, it } from 'vitest';
import { part } from './documents.ts';

it('no document is a bomb, names a file or goes too deep, wherever one is read', async () => {
  const lines: string[] = [];
  await part.run({ seed: 11, count: 120, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
