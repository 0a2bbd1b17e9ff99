import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

/** Servers that outlive us and are found again by their pid files. */

/** The process of a pid file, if it lives and really is that program with that file among its words. */
export async function runningPid(
  program: string,
  pidFile: string,
  word: string,
): Promise<number | undefined> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes(program) && commandLine.includes(word) ? pid : undefined;
}

/** They are another user's processes: one who is not root asks his helper to signal them. */
export async function signal(runner: Runner, pid: number, name: 'HUP' | 'KILL'): Promise<void> {
  if (process.getuid?.() === 0) process.kill(pid, `SIG${name}`);
  else await runner(['kill', name === 'KILL' ? '-9' : '-HUP', String(pid)], { timeoutMs: HOST_COMMAND_MS });
}

/** Ends a process and waits until it has closed its sockets, which is some time after it stops being itself. */
export async function end(runner: Runner, pid: number): Promise<void> {
  await signal(runner, pid, 'KILL');
  for (let tries = 0; tries < END_TRIES; tries++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat === '' || /\) [ZX] /.test(stat)) return;
    await sleep(END_POLL_MS);
  }
}
const END_TRIES = 200;
const END_POLL_MS = 5;
