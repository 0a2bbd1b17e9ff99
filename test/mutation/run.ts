import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyOfTree, ROOT } from '../copy-of-tree.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';

/**
 * `npm run mutation [-- WORD...]`: breaks a copy of the tree in each listed way (or those whose name or file has a word) and demands
 * that the test named beside it fails; that it passes without the change is shown first. Exits 1 when a mutation survives, or could
 * not be tried: its place is not in the file any more, or its test fails anyhow.
 */
const TEST_MS = 600_000;

function passes(tree: string, { test, named }: Mutation): Promise<boolean> {
  const only = named === undefined ? [] : ['-t', named];
  const args = [
    join(ROOT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--bail=1',
    '--silent=true',
    test,
    ...only,
  ];
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', timeout: TEST_MS });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', code => done(code === 0));
  });
}

type Fate = 'killed' | 'survived' | 'fails anyhow' | 'has moved';

/** Tests that were run on the unchanged tree, and whether they passed. */
const unchanged = new Map<string, boolean>();

async function fate(tree: string, mutation: Mutation): Promise<Fate> {
  const path = join(tree, mutation.file);
  const before = readFileSync(path, 'utf8');
  if (before.split(mutation.from).length !== 2) return 'has moved';
  const key = `${mutation.test} ${mutation.named ?? ''}`;
  const sound = unchanged.get(key) ?? (await passes(tree, mutation));
  unchanged.set(key, sound);
  if (!sound) return 'fails anyhow';
  writeFileSync(
    path,
    before.replace(mutation.from, () => mutation.to),
  );
  try {
    return (await passes(tree, mutation)) ? 'survived' : 'killed';
  } finally {
    writeFileSync(path, before);
  }
}

const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name, file }) => words.length === 0 || words.some(word => `${name} ${file}`.includes(word)),
);
const tree = copyOfTree();
const remove = () => rmSync(tree, { recursive: true, force: true });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    remove();
    process.exit(1);
  });
const seen = { killed: 0, survived: 0, 'fails anyhow': 0, 'has moved': 0 } satisfies Record<Fate, number>;
try {
  for (const mutation of chosen) {
    const found = await fate(tree, mutation);
    seen[found] += 1;
    console.log(`${found.padEnd(12)} ${mutation.name} (${mutation.file}, ${mutation.test})`);
  }
} finally {
  remove();
}
const untried = seen['fails anyhow'] + seen['has moved'];
console.log(
  `${seen.killed} killed, ${seen.survived} survived${untried > 0 ? `, ${untried} could not be tried` : ''}`,
);
process.exitCode = seen.killed === chosen.length ? 0 : 1;
