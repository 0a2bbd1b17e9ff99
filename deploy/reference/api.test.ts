import { readFileSync } from 'node:fs';
import { identityReference } from '@folsom/identity/reference';
import { imageReference } from '@folsom/image/reference';
import { expect, it } from 'vitest';
import { apiPage } from './api.ts';

it('docs/api.md is what the declarations say (npm run docs writes it)', () => {
  expect(readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')).toBe(apiPage());
});

it('every operation says what it does', () => {
  for (const { operations } of [...identityReference, ...imageReference]) {
    for (const { name, about } of operations) expect([name, about ?? '']).not.toContain('');
  }
});
