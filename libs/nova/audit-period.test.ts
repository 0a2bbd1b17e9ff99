import { expect, it } from 'vitest';
import { lastAuditPeriod } from './audit-period.ts';

const at = Date.UTC(2012, 8, 27, 10, 30);
const iso = ({ begin, end }: { begin: number; end: number }) =>
  [begin, end].map(ms => new Date(ms).toISOString().slice(0, 16));

it.each([
  ['month', ['2012-08-01T00:00', '2012-09-01T00:00']],
  ['month@15', ['2012-08-15T00:00', '2012-09-15T00:00']],
  ['month@28', ['2012-07-28T00:00', '2012-08-28T00:00']],
  ['day', ['2012-09-26T00:00', '2012-09-27T00:00']],
  ['hour', ['2012-09-27T09:00', '2012-09-27T10:00']],
  ['year', ['2011-01-01T00:00', '2012-01-01T00:00']],
])('%s', (unit, expected) => {
  expect(iso(lastAuditPeriod(unit, at))).toEqual(expected);
});
