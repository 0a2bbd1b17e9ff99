import { expect, it } from 'vitest';
import { part } from './objects.ts';

it('no parameter, header or body is too strange for object storage, and none reaches another account', async () => {
  const lines: string[] = [];
  await part.run({ seed: 1, count: 490, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
