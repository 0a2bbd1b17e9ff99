import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS, type Mutation } from './mutations.ts';

/**
 * `npm run mutation [-- WORD...]`: breaks a copy of the tree in each listed way (or those whose name or file has a word) and demands
 * that the test named beside it fails; that it passes without the change is shown first. Exits 1 when a mutation survives.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TEST_MS = 600_000;

/** The tree without what git leaves out; the packages' node_modules are links into the original. */
function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'folsom-mutation-'));
  const left = /(^|\/)(\.git|\.cache|node_modules)(\/|$)/;
  cpSync(ROOT, copy, { recursive: true, filter: path => !left.test(relative(ROOT, path)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const folder of ['libs', 'services']) {
    for (const name of readdirSync(join(ROOT, folder))) copyLinks(copy, `${folder}/${name}/node_modules`);
  }
  for (const folder of ['deploy', 'test']) copyLinks(copy, `${folder}/node_modules`);
  return copy;
}

/** Links of a package to others point into the copy again, since they are relative; the rest lies in the original's store. */
function copyLinks(copy: string, folder: string): void {
  try {
    cpSync(join(ROOT, folder), join(copy, folder), { recursive: true, verbatimSymlinks: true });
  } catch (error) {
    // A package that needs no other.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function passes(tree: string, test: string): Promise<boolean> {
  const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--bail=1', '--silent=true', test];
  const child = spawn(process.execPath, args, { cwd: tree, stdio: 'ignore', timeout: TEST_MS });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', code => done(code === 0));
  });
}

async function fate(tree: string, mutation: Mutation): Promise<'killed' | 'survived' | 'fails anyhow'> {
  const path = join(tree, mutation.file);
  const before = readFileSync(path, 'utf8');
  if (before.split(mutation.from).length !== 2)
    throw new Error(`${mutation.file} has no single ${mutation.from}`);
  if (!(await passes(tree, mutation.test))) return 'fails anyhow';
  writeFileSync(
    path,
    before.replace(mutation.from, () => mutation.to),
  );
  try {
    return (await passes(tree, mutation.test)) ? 'survived' : 'killed';
  } finally {
    writeFileSync(path, before);
  }
}

const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(
  ({ name, file }) => words.length === 0 || words.some(word => `${name} ${file}`.includes(word)),
);
const tree = copyOfTree();
let bad = 0;
try {
  for (const mutation of chosen) {
    const seen = await fate(tree, mutation);
    if (seen !== 'killed') bad += 1;
    console.log(`${seen.padEnd(12)} ${mutation.name} (${mutation.file}, ${mutation.test})`);
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}
console.log(`${chosen.length - bad} killed, ${bad} not`);
process.exitCode = bad === 0 ? 0 : 1;
