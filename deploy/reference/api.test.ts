import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { apiPage, referenceParts } from './api.ts';

it('docs/api.md is what the declarations say (npm run docs writes it)', async () => {
  expect(readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')).toBe(await apiPage());
});

it('no operation declares a fault twice', async () => {
  const twice = (await referenceParts()).flatMap(({ title, operations }) =>
    operations.flatMap(({ name, faults = {}, throws = [] }) =>
      throws
        .filter((fault, at) => Object.hasOwn(faults, fault) || throws.indexOf(fault) !== at)
        .map(fault => `${title}: ${name}: ${fault}`),
    ),
  );
  expect(twice).toEqual([]);
});

it('every operation says what it does', async () => {
  const silent = (await referenceParts()).flatMap(({ title, operations }) =>
    operations.filter(({ about }) => !about).map(({ name }) => `${title}: ${name}`),
  );
  expect(silent).toEqual([]);
});
