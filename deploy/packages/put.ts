import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TreeEntry } from './tree.ts';

/** Makes a folder with these files in it. */
export function putEntries(folder: string, entries: readonly TreeEntry[]): void {
  const made = new Set<string>();
  for (const entry of entries) {
    const path = join(folder, entry.path);
    const parent = dirname(path);
    if (!made.has(parent)) {
      mkdirSync(parent, { recursive: true, mode: 0o755 });
      made.add(parent);
    }
    if ('link' in entry) {
      symlinkSync(entry.link, path);
      continue;
    }
    if ('from' in entry) copyFileSync(entry.from, path);
    else writeFileSync(path, entry.text);
    chmodSync(path, entry.mode);
  }
}
