// `npm test`: what the suites need of the machine, the checks, then every suite, then one line `N passed, N failed, N skipped (…)` that counts
// both. What could not be tested here is named with its reason. Exits 1 on any failure; under CI a missing package is one, and so is a test
// that is left out without a word.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHECKS, check } from './check.mjs';
import { leftOut } from './left-out.mjs';
import { providePackages } from './packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = name => join(root, 'node_modules', '.bin', name);
const only = process.argv.slice(2);
let passed = 0;
let failed = 0;
/** What failed, by name: said at the end, where a long run is read first. */
const wrong = [];

const run = (command, args, env) =>
  new Promise(resolve => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', error => {
      console.error(error.message);
      resolve(1);
    });
    child.on('exit', code => resolve(code ?? 1));
  });

const missing = only.length === 0 ? providePackages() : [];
if (missing.length > 0) console.log(`not on this machine, and so left out:\n  ${missing.join('\n  ')}`);
if (process.env.CI) failed += missing.length;

if (only.length === 0) {
  for (const name of CHECKS) {
    const result = await check(name);
    if (!result.passed) process.stdout.write(result.printed);
    console.log(`${result.passed ? 'ok' : 'FAILED'}: ${name}`);
    if (result.passed) passed += 1;
    else {
      failed += 1;
      wrong.push(`npm run check -- ${name}`);
    }
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'folsom-test-'));
const report = join(scratch, 'report.json');
const notes = join(scratch, 'left-out');
const vitest = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const code = await run(bin('vitest'), [...vitest, ...only], { FOLSOM_LEFT_OUT: notes });
let skipped = '';
try {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  // A file that could not even be loaded has no tests to count.
  const broken = result.testResults.filter(
    file => file.status === 'failed' && file.assertionResults.every(t => t.status !== 'failed'),
  );
  failed += broken.length;
  for (const file of broken) wrong.push(relative(root, file.name));
  for (const file of result.testResults)
    for (const { status, fullName } of file.assertionResults)
      if (status === 'failed') wrong.push(`${relative(root, file.name)}: ${fullName}`);
  const left = leftOut(result.testResults, notes);
  for (const { file, count, why } of left.files)
    console.log(`skipped ${count} in ${relative(root, file)}: ${why}`);
  skipped = left.summary;
  if (process.env.CI) failed += left.silent;
  const seconds = file => Math.round((file.endTime - file.startTime) / 1000);
  const slowest = result.testResults.sort((a, b) => seconds(b) - seconds(a)).slice(0, 15);
  if (only.length === 0) {
    console.log('slowest files (they should stand in test/slowest-first.ts):');
    for (const file of slowest)
      console.log(`${String(seconds(file)).padStart(5)} s  ${relative(root, file.name)}`);
  }
} catch (error) {
  console.error(`no test report: ${error.message}`);
  failed += 1;
}
if (code !== 0 && failed === 0) failed = 1;
rmSync(scratch, { recursive: true, force: true });
for (const name of wrong) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failed} failed${skipped}`);
process.exit(failed === 0 ? 0 : 1);
