import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@folsom/core/testing';
import { run } from '@folsom/host';
import { SLOW } from '@folsom/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { copyOfTree, ROOT } from '../copy-of-tree.ts';
import { apply, changesOf } from './recipe.ts';

// CONTRIBUTING's recipes, word for word: its blocks are applied to a copy of the tree, and the tests among them are run there.

const RECIPES_MIN = 5;
const LIMIT_MS = 600_000;
const tree = copyOfTree();
afterAll(() => rmSync(tree, { recursive: true, force: true }));

const changes = changesOf(readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8'));
const tests = changes.map(({ path }) => path).filter(path => path.endsWith('.test.ts'));
const inTree = (argv: string[]) =>
  run(argv, {
    cwd: tree,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', FOLSOM_WORKERS: '1' },
    timeoutMs: LIMIT_MS,
    allowedCodes: 'any',
  });

describe("CONTRIBUTING's recipes", () => {
  it(
    'do what they say, each in its own files',
    async () => {
      expect(tests.length).toBeGreaterThanOrEqual(RECIPES_MIN);
      for (const change of changes) apply(tree, change);
      const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
      const file = join(tree, 'report.json');
      await inTree([
        process.execPath,
        vitest,
        'run',
        '--reporter=json',
        `--outputFile.json=${file}`,
        ...tests,
      ]);
      const report = JSON.parse(readFileSync(file, 'utf8')) as {
        numPassedTests: number;
        testResults: { name: string; message: string; assertionResults: { failureMessages: string[] }[] }[];
      };
      const wrong = report.testResults.flatMap(({ name, message, assertionResults }) =>
        [message, ...assertionResults.flatMap(one => one.failureMessages)]
          .filter(text => text)
          .map(text => `${name}: ${text}`),
      );
      expect(wrong).toEqual([]);
      expect(report.numPassedTests).toBeGreaterThanOrEqual(tests.length);
    },
    LIMIT_MS,
  );

  it.skipIf(!needs('FOLSOM_SLOW=1', SLOW))(
    'are typed as the rest is',
    async () => {
      const done = await inTree([join(ROOT, 'node_modules/.bin/tsc'), '--noEmit']);
      expect(done.stdout).toBe('');
      expect(done.code).toBe(0);
    },
    LIMIT_MS,
  );
});
