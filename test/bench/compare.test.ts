import { expect, it } from 'vitest';
import { judge } from './compare.ts';
import { type BenchRow, reportPage } from './report.ts';

const row = (cpu: number, rate = 100): BenchRow => ({
  name: 'PUT',
  rate,
  unit: '/s',
  cpu: cpu > 0 ? { proxy: cpu / 2, object: cpu / 2 } : {},
});
const rows = (...cpu: number[]) => cpu.map(ms => row(ms));

it('only what got worse by more than a revision differs from itself counts', () => {
  const before = new Map([
    ['steady', rows(1, 1.01, 0.99)],
    ['noisy', rows(1, 1.4, 0.8)],
    ['better', rows(2, 2, 2)],
    ['rate alone', [row(0, 100)]],
    ['gone', rows(1)],
  ]);
  const after = new Map([
    ['steady', rows(1.2, 1.21, 1.2)],
    ['noisy', rows(1.2, 1.3, 1.1)],
    ['better', rows(1, 1, 1)],
    ['rate alone', [row(0, 80)]],
    ['new', rows(9)],
  ]);
  const lines: string[] = [];
  expect(judge(before, after, line => lines.push(line))).toBe(2);
  expect(
    lines.map(line => /^(steady|noisy|better|rate alone|new) .*?(WORSE|better|)$/.exec(line)?.slice(1)),
  ).toEqual([
    ['steady', 'WORSE'],
    ['noisy', ''],
    ['better', 'better'],
    ['rate alone', 'WORSE'],
  ]);
});

it('a report has each row with its processes, its limit and the ratio', () => {
  const measured: BenchRow = {
    ...row(3, 500),
    p50: 1.5,
    p99: 9,
    limit: { what: 'plain files', rate: 2000 },
  };
  const page = reportPage('a machine', 'abc', [
    { name: 'object', rows: [measured], lines: ['a line'], seconds: 4 },
  ]);
  expect(page).toContain(
    '| PUT | 500/s | 1.50 | 9.00 | 3.000 | proxy 1.500, object 1.500 | plain files: 2000/s | 0.250 |',
  );
  expect(page).toContain('```\na line\n```');
});
