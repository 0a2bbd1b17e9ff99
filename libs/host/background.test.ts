import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startBackground } from './background.ts';

it('runs beside us, logs to its file and ends with its whole group', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'background-'));
  const logFile = join(dir, 'log');
  const program = await startBackground(['sh', '-c', 'echo begun; sleep 60 & echo $! ; wait'], { logFile });
  while (readFileSync(logFile, 'utf8').split('\n').length < 3) await new Promise(r => setTimeout(r, 10));
  const grandchild = readFileSync(logFile, 'utf8').split('\n')[1];
  expect(program.running).toBe(true);
  await program.stop(2000);
  expect(program.running).toBe(false);
  await expect
    .poll(
      () => existsSync(`/proc/${grandchild}/cmdline`) && readFileSync(`/proc/${grandchild}/cmdline`, 'utf8'),
    )
    .toBeFalsy();
  rmSync(dir, { recursive: true });
});

it('is killed when it ignores the polite signal', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'background-'));
  const logFile = join(dir, 'log');
  const program = await startBackground(
    ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'],
    {
      logFile,
    },
  );
  await expect.poll(() => readFileSync(logFile, 'utf8')).toContain('ready');
  await program.stop(200);
  rmSync(dir, { recursive: true });
  expect((await program.ended).signal).toBe('SIGKILL');
});

it('says when a program is missing', async () => {
  await expect(startBackground(['/nonexistent/program'])).rejects.toThrow(/ENOENT/);
});
