// `npm run coverage [-- REV]`: which lines that were changed since a revision (default: the one before HEAD, with what is not committed) no
// test runs. The tests are those that import what was changed; with real servers and guests as far as this machine has them.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const SHIPPED = /^(libs|services|deploy)\/.*\.ts$/;
const TEST = /\.test\.ts$|(^|\/)(test|fake)-[\w-]+\.ts$|(^|\/)testing(\.ts$|\/)/;

/** Added and changed lines by file, from `git diff --unified=0`. */
export function changedLines(diff) {
  const files = new Map();
  let lines;
  for (const line of diff.split('\n')) {
    const file = /^\+\+\+ b\/(.+)$/.exec(line)?.[1];
    if (line.startsWith('+++ ')) {
      lines = new Set();
      if (file !== undefined && SHIPPED.test(file) && !TEST.test(file)) files.set(file, lines);
    }
    const [, from, count = '1'] = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    if (from !== undefined) for (let n = 0; n < Number(count); n++) lines?.add(Number(from) + n);
  }
  return files;
}

/** Lines of a file that were run, and that were not, from its entry in `coverage-final.json`; a line counts by the statements that begin on it. */
export function runLines({ statementMap, s: counts }) {
  const ran = new Map();
  for (const [id, { start }] of Object.entries(statementMap))
    ran.set(start.line, (ran.get(start.line) ?? true) && counts[id] > 0);
  return ran;
}

/** `1, 4-6` */
export function ranges(lines) {
  const out = [];
  for (const line of [...lines].sort((a, b) => a - b)) {
    const last = out.at(-1);
    if (last !== undefined && line === last[1] + 1) last[1] = line;
    else out.push([line, line]);
  }
  return out.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(', ');
}

function main(revision = 'HEAD^') {
  const diff = execFileSync('git', ['diff', '--unified=0', '--no-color', revision, '--'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const changed = changedLines(diff);
  if (changed.size === 0) return console.log(`nothing that is shipped was changed since ${revision}`);
  const scratch = mkdtempSync(join(tmpdir(), 'folsom-coverage-'));
  try {
    const include = [...changed.keys()].map(file => `--coverage.include=${file}`);
    const argv = [
      'related',
      ...changed.keys(),
      '--run',
      '--passWithNoTests',
      '--coverage.enabled',
      ...include,
    ];
    const report = [
      '--coverage.provider=v8',
      '--coverage.reporter=json',
      `--coverage.reportsDirectory=${scratch}`,
    ];
    spawnSync(join(root, 'node_modules/.bin/vitest'), [...argv, ...report, '--coverage.reportOnFailure'], {
      cwd: root,
      stdio: 'inherit',
    });
    const coverage = JSON.parse(readFileSync(join(scratch, 'coverage-final.json'), 'utf8'));
    const byFile = new Map(Object.entries(coverage).map(([path, entry]) => [relative(root, path), entry]));
    let [all, run] = [0, 0];
    for (const [file, lines] of changed) {
      const ran = runLines(byFile.get(file) ?? { statementMap: {}, s: {} });
      const told = [...lines].filter(line => ran.has(line));
      const missed = told.filter(line => !ran.get(line));
      all += told.length;
      run += told.length - missed.length;
      if (!byFile.has(file)) console.log(`${file}: no test loads it`);
      else if (missed.length > 0) console.log(`${file}: no test runs ${ranges(missed)}`);
    }
    console.log(`${run} of ${all} changed lines with a statement are run (since ${revision})`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]);
