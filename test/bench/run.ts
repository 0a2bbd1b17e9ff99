// `npm run bench [-- NAME[/PART]...]`: runs the benchmarks of this folder one after the other and prints what they measure, each
// against a reference taken in the same run; all of them write docs/performance.md. `--profile` adds the hottest functions of
// each row, `--json FILE` writes the rows, `compare REVISION [NAME...]` measures two revisions in turn. Never part of the
// tests: a figure is for a person to read.
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { type BenchResult, type BenchRow, reportPage } from './report.ts';

/** What a benchmark may use of the run besides the printer. */
export interface BenchTools {
  /** Notes what was measured of an operation, for the report and for comparing. */
  row(row: BenchRow): void;
  /** Whether the hottest functions are asked for. */
  profile: boolean;
}

/** Every benchmark exports this. `parts` are those asked for of one that has parts; none means all. */
export type Bench = (
  print: (line: string) => void,
  parts: readonly string[],
  tools: BenchTools,
) => Promise<void>;

const here = new URL('.', import.meta.url);
const NO_BENCHMARKS = new Set(['run', 'report', 'compare', 'profile', 'notes']);
const PAGE = new URL('../../docs/performance.md', import.meta.url);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: 'boolean', default: false }, json: { type: 'string' } },
});
if (positionals[0] === 'compare') {
  const [, revision, ...names] = positionals;
  if (revision === undefined) fail('compare needs a revision');
  process.exit(compare(revision, names, line => console.log(line)) > 0 ? 1 : 0);
}
const wanted = positionals.map(word => word.split('/', 2) as [string, string?]);
const names = readdirSync(here)
  .filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map(file => file.slice(0, -3))
  .filter(name => !NO_BENCHMARKS.has(name))
  .filter(name => wanted.length === 0 || wanted.some(([one]) => one === name))
  .sort();
if (names.length === 0) fail(`no benchmark is called ${wanted.map(([name]) => name).join(' or ')}`);

const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
console.log(machine);
const results: BenchResult[] = [];
const failed: string[] = [];
for (const name of names) {
  console.log(`\n== ${name}`);
  const { bench } = (await import(new URL(`${name}.ts`, here).href)) as { bench: Bench };
  const asked = wanted.filter(([one]) => one === name).map(([, part]) => part);
  const result: BenchResult = { name, rows: [], lines: [], seconds: 0 };
  const started = performance.now();
  const print = (line: string): void => {
    console.log(line);
    result.lines.push(line);
  };
  try {
    await bench(
      print,
      asked.filter(part => part !== undefined),
      { row: row => void result.rows.push(row), profile: options.profile },
    );
  } catch (error) {
    // The others have their say, and the run its status.
    failed.push(name);
    print(`failed: ${(error as Error).message}`);
    console.error(error);
  }
  result.seconds = (performance.now() - started) / 1000;
  console.log(`took ${result.seconds.toFixed(0)} s`);
  results.push(result);
}
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results));
if (wanted.length === 0 && options.json === undefined && failed.length === 0) {
  const revision = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: here }).toString().trim();
  writeFileSync(PAGE, reportPage(machine, revision, results));
}
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}
