import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openLogFile } from './log-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'logs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('many logs wait for the end of the process with one listener, and none when they are closed', () => {
  const before = process.listenerCount('exit');
  const logs = Array.from({ length: 20 }, (_, at) => openLogFile(join(folder, `${at}.log`)));
  expect(process.listenerCount('exit')).toBeLessThanOrEqual(before + 1);
  for (const log of logs) log.close();
  expect(process.listenerCount('exit')).toBe(before);
});

it('what was not written yet is written when the process ends, to every log', () => {
  const module = fileURLToPath(new URL('log-file.ts', import.meta.url));
  const program = `
    const { openLogFile } = await import(${JSON.stringify(module)});
    const [first, ...others] = process.argv.slice(1).map(path => openLogFile(path));
    first.close();
    for (const log of others) log.write('the last line\\n');
    process.exit(0);`;
  const paths = ['a', 'b', 'c'].map(name => join(folder, name));
  execFileSync(process.execPath, ['--input-type=module', '-e', program, ...paths], { timeout: 60_000 });
  expect(paths.map(path => readFileSync(path, 'utf8'))).toEqual(['', 'the last line\n', 'the last line\n']);
});
