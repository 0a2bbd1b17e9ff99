import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BenchResult, type BenchRow, sumOf } from './report.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Each revision is measured so often, in turn. */
const TURNS = 3;
/** A difference of less is never more than noise. */
const NOISE_MIN = 0.05;

/** Rows of one revision by name, one of each turn. */
type Measured = Map<string, BenchRow[]>;

/**
 * Measures another revision and this tree in turn and names the rows that got worse by more than the turns of one
 * revision differ among themselves. What is compared is the processor's time an operation takes, which others on the
 * machine disturb least; the rate where no process is measured.
 * @returns how many got worse
 */
export function compare(revision: string, names: readonly string[], print: (line: string) => void): number {
  const folder = mkdtempSync(join(tmpdir(), 'bench-compare-'));
  const other = join(folder, 'tree');
  const git = (...args: string[]) => execFileSync('git', ['-C', ROOT, ...args], { stdio: 'pipe' });
  git('worktree', 'add', '--detach', other, revision);
  try {
    execFileSync('node', ['deploy/setup.mjs'], { cwd: other, stdio: 'inherit' });
    const before: Measured = new Map();
    const after: Measured = new Map();
    for (let turn = 0; turn < TURNS; turn++) {
      measure(other, names, join(folder, 'rows.json'), before);
      measure(ROOT, names, join(folder, 'rows.json'), after);
    }
    return judge(before, after, print);
  } finally {
    git('worktree', 'remove', '--force', other);
    rmSync(folder, { recursive: true, force: true });
  }
}

function measure(tree: string, names: readonly string[], file: string, into: Measured): void {
  const { status } = spawnSync(process.execPath, ['test/bench/run.ts', '--json', file, ...names], {
    cwd: tree,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`the benchmarks of ${tree} ended with ${status}`);
  for (const { name, rows } of JSON.parse(readFileSync(file, 'utf8')) as BenchResult[]) {
    for (const row of rows) {
      const key = `${name}: ${row.name}`;
      into.set(key, [...(into.get(key) ?? []), row]);
    }
  }
}

/** What less of is better. */
const costOf = (row: BenchRow): number => sumOf(row.cpu) || 1 / row.rate;

const middle = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** How far the turns of one revision lie apart, as a part of their middle. */
const spread = (values: readonly number[]): number =>
  (Math.max(...values) - Math.min(...values)) / middle(values);

export function judge(before: Measured, after: Measured, print: (line: string) => void): number {
  let worse = 0;
  for (const [name, rows] of after) {
    const old = before.get(name)?.map(costOf);
    if (!old) continue;
    const now = rows.map(costOf);
    const change = middle(now) / middle(old) - 1;
    const noise = Math.max(NOISE_MIN, spread(old), spread(now));
    const verdict = change > noise ? 'WORSE' : change < -noise ? 'better' : '';
    if (verdict === 'WORSE') worse++;
    print(
      `${name.padEnd(48)} ${(100 * change).toFixed(1).padStart(7)} % (noise ${(100 * noise).toFixed(1)} %) ${verdict}`,
    );
  }
  return worse;
}
