import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { must } from '@folsom/core';
import { HOST_ENV } from './run.ts';

export interface BackgroundOptions {
  /** The whole environment of the program; default: {@link HOST_ENV}. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Receives standard output and error, appended; default: discarded. */
  logFile?: string;
  /** Ends the program when this process dies, however it dies (Linux: PR_SET_PDEATHSIG). */
  dieWithParent?: boolean;
}

export interface Ended {
  code: number | null;
  signal: string | null;
}

/** A program that keeps running beside us, in a process group of its own. */
export interface BackgroundProcess {
  readonly pid: number;
  /** Resolves when the program itself has ended. */
  readonly ended: Promise<Ended>;
  readonly running: boolean;
  /** Sends a signal to the whole group. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL to the group after `graceMs`. Safe to call twice. */
  stop(graceMs: number): Promise<void>;
}

/** Starts a program (an argument list, never a shell) and leaves it running. Rejects when it cannot be started. */
export function startBackground(
  argv: readonly string[],
  options: BackgroundOptions = {},
): Promise<BackgroundProcess> {
  const command = options.dieWithParent ? ['setpriv', '--pdeathsig', 'KILL', '--', ...argv] : [...argv];
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a', 0o600);
  const child = spawn(must(command[0], 'command is not empty'), command.slice(1), {
    env: { ...(options.env ?? HOST_ENV) },
    cwd: options.cwd,
    detached: true,
    stdio: ['ignore', log ?? 'ignore', log ?? 'ignore'],
  });
  if (log !== undefined) closeSync(log);
  let ended = false;
  const end = new Promise<Ended>(resolve => {
    child.once('exit', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-must(child.pid, 'pid is there'), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () =>
      resolve({
        pid: must(child.pid, 'pid is there'),
        ended: end,
        get running() {
          return !ended;
        },
        signal,
        stop: async graceMs => {
          if (ended) return signal('SIGKILL');
          signal('SIGTERM');
          const timer = setTimeout(() => signal('SIGKILL'), graceMs);
          await end;
          clearTimeout(timer);
          // What the program left in its group must not outlive it.
          signal('SIGKILL');
        },
      }),
    );
  });
}
