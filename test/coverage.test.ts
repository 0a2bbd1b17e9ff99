import { expect, it } from 'vitest';

const { changedLines, ranges, runLines } = (await import('./coverage.mjs' as string)) as {
  changedLines(diff: string): Map<string, Set<number>>;
  ranges(lines: Iterable<number>): string;
  runLines(entry: unknown): Map<number, boolean>;
};

it('reads which shipped lines a change has touched', () => {
  const diff = [
    'diff --git a/libs/a/x.ts b/libs/a/x.ts',
    '--- a/libs/a/x.ts',
    '+++ b/libs/a/x.ts',
    '@@ -3,0 +4,2 @@ function',
    '+one',
    '+two',
    '@@ -9 +11 @@',
    '-old',
    '+new',
    '@@ -20,2 +21,0 @@',
    '--- a/libs/a/x.test.ts',
    '+++ b/libs/a/x.test.ts',
    '@@ -1 +1 @@',
    '--- a/services/s/test-api.ts',
    '+++ b/services/s/test-api.ts',
    '@@ -1 +1 @@',
    '--- a/deploy/gone.ts',
    '+++ /dev/null',
    '@@ -1,3 +0,0 @@',
    '--- /dev/null',
    '+++ b/services/s/new.ts',
    '@@ -0,0 +1,3 @@',
  ].join('\n');
  expect([...changedLines(diff)]).toEqual([
    ['libs/a/x.ts', new Set([4, 5, 11])],
    ['services/s/new.ts', new Set([1, 2, 3])],
  ]);
});

it('tells lines that were run from those that were not', () => {
  const at = (line: number) => ({ start: { line, column: 0 }, end: { line, column: 9 } });
  const entry = { statementMap: { 0: at(1), 1: at(2), 2: at(2), 3: at(4) }, s: { 0: 3, 1: 1, 2: 0, 3: 0 } };
  expect([...runLines(entry)]).toEqual([
    [1, true],
    [2, false],
    [4, false],
  ]);
  expect(ranges([7, 1, 3, 2, 9, 8])).toBe('1-3, 7-9');
});
