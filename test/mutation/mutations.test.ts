import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../copy-of-tree.ts';
import { MUTATIONS } from './mutations.ts';

it('every mutation has its place in the file, once, and its test', () => {
  const lost = MUTATIONS.filter(
    ({ file, from, test }) =>
      readFileSync(join(ROOT, file), 'utf8').split(from).length !== 2 || !existsSync(join(ROOT, test)),
  );
  expect(lost.map(({ name }) => name)).toEqual([]);
});
