import { SLOW } from '@folsom/testing';
import { describe } from 'vitest';
import { cannotRun, TEST_MS } from './host-under-test.ts';
import { manyGuests } from './many-guests.ts';

describe.skipIf(cannotRun() !== undefined)('many guests at once', { timeout: TEST_MS }, () =>
  SLOW ? manyGuests(50, 10) : manyGuests(10, 2),
);
