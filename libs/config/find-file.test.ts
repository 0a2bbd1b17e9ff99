import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findConfigFile } from './find-file.ts';
import { loadConfig } from './load.ts';

it('finds what an option names beside the configuration, the last file’s folder first', () => {
  const dir = mkdtempSync(join(tmpdir(), 'find-file-'));
  try {
    const folder = (name: string) => join(dir, name);
    for (const name of ['one', 'two', 'etc']) mkdirSync(folder(name));
    const files = ['one', 'two'].map(name => join(folder(name), 'x.conf'));
    for (const file of files) writeFileSync(file, '[DEFAULT]\n');
    const argv = files.flatMap(file => ['--config-file', file]);
    const config = loadConfig({ program: 'x', declarations: [], argv });
    const find = (name: string) => findConfigFile(config, name, folder('etc'));
    expect(find('policy.json')).toBeUndefined();
    for (const name of ['etc', 'one', 'two']) {
      writeFileSync(join(folder(name), 'policy.json'), '{}');
      expect(find('policy.json')).toBe(join(folder(name), 'policy.json'));
    }
    expect(find(join(folder('etc'), 'policy.json'))).toBe(join(folder('etc'), 'policy.json'));
    expect(find('/nowhere/policy.json')).toBeUndefined();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
