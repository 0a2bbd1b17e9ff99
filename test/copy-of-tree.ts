import { cpSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** The tree without what git leaves out, in a temporary folder; the packages' node_modules are links into the original. */
export function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'folsom-tree-'));
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
