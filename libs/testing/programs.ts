import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@folsom/host';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One of this project's programs running as a process of its own. */
export interface RunningProgram {
  pid: number;
  /** What it has written so far. */
  output(): Promise<string>;
  /** Resolves with the exit code (or `null` after a signal). */
  exited: Promise<number | null>;
  /** Sends a signal. */
  kill(signal?: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after ten seconds; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface StartProgramOptions {
  /** Receives stdout and stderr. */
  logFile: string;
  /** Words put before the argument list to run it elsewhere (a test's namespace). */
  enter?: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Waited for: resolves when this text has been written. */
  until?: RegExp;
  /** Waited for: resolves when all of these accept connections (inside the namespace). */
  ports?: readonly { host: string; port: number }[];
  timeoutMs?: number;
}

/** The path of one of our programs, as `node_modules/.bin` would run it. */
export const programFile = (name: string): string => join(ROOT, 'deploy', 'bin', `${name}.mjs`);

/** Argument list that runs one of our programs. */
export const programArgv = (
  name: string,
  args: readonly string[],
  enter: readonly string[] = [],
): string[] => [...enter, process.execPath, programFile(name), ...args];

/** Runs one of our programs to its end. */
export const runProgram = (
  name: string,
  args: readonly string[],
  options: {
    enter?: readonly string[];
    timeoutMs?: number;
    env?: Record<string, string>;
    cwd?: string;
    input?: string;
  } = {},
) =>
  run(programArgv(name, args, options.enter), {
    timeoutMs: options.timeoutMs ?? 120_000,
    allowedCodes: 'any',
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '/', LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
  });

/** Starts one of our programs and waits until it is ready; throws with what it wrote when it does not get there. */
export async function startProgram(
  name: string,
  args: readonly string[],
  options: StartProgramOptions,
): Promise<RunningProgram> {
  const argv = programArgv(name, args, options.enter);
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const child: ChildProcess = spawn(argv[0]!, argv.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let written = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-200_000);
      log.write(chunk);
    });
  }
  let ended = false;
  const exited = new Promise<number | null>(resolve => {
    child.once('error', () => resolve(null));
    child.once('exit', code => {
      ended = true;
      resolve(code);
    });
  });
  const program: RunningProgram = {
    pid: child.pid ?? 0,
    output: () => readFile(options.logFile, 'utf8'),
    exited,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    stop: async () => {
      if (ended) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
  const deadline = performance.now() + (options.timeoutMs ?? 90_000);
  const ready = async () =>
    (options.until === undefined || options.until.test(written)) &&
    (await allOpen(options.ports ?? [], options.enter));
  while (!(await ready())) {
    if (ended) throw new Error(`${name} ended before it was ready:\n${written.slice(-4000)}`);
    if (performance.now() > deadline) {
      await program.stop();
      throw new Error(`${name} was not ready in time:\n${written.slice(-4000)}`);
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return program;
}

/** Reads the listening sockets instead of connecting: works in another network namespace, too. */
async function allOpen(
  ports: readonly { host: string; port: number }[],
  enter: readonly string[] = [],
): Promise<boolean> {
  if (ports.length === 0) return true;
  const { stdout } = await run([...enter, 'ss', '-Hltn'], {
    timeoutMs: 30_000,
  });
  const open = new Set(stdout.split('\n').map(line => line.trim().split(/\s+/)[3]?.split(':').at(-1)));
  return ports.every(({ port }) => open.has(String(port)));
}
