import { expect, it } from 'vitest';
import { part } from './http.ts';

it('hostile HTTP on every port is refused, or read as node reads it, and nobody else waits for it', async () => {
  const lines: string[] = [];
  await part.run({ seed: 18, count: 600, report: line => lines.push(line) });
  expect(lines).toHaveLength(1);
  console.log(lines[0]);
});
