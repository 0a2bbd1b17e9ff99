import { spawn } from 'node:child_process';
import { catalogue, type Fault, MASK, must } from '@folsom/core';

/** What a program on this host is given and allowed. */
export interface RunOptions {
  /** Killed (SIGKILL) when it runs longer. */
  timeoutMs: number;
  /** Written to its standard input, which is closed afterwards. Without it the program reads nothing. */
  input?: string | Uint8Array;
  /** Each of stdout and stderr is kept up to this size; a program that writes more to stdout is killed. */
  maxOutputBytes?: number;
  /** Address space limit (prlimit --as). */
  memoryBytes?: number;
  /** Stack limit, of each thread (prlimit --stack). */
  stackBytes?: number;
  /** Processor time limit in seconds (prlimit --cpu). */
  cpuSeconds?: number;
  /** Processes and threads its user may have (prlimit --nproc). */
  processes?: number;
  /** Largest file it may write, in bytes (prlimit --fsize). */
  fileBytes?: number;
  /** The program as faults show it, where what is started is only what confines it. */
  shownAs?: readonly string[];
  /** Strings replaced by `***` in any fault text. */
  secrets?: readonly string[];
  /** Exit codes that are no failure. Default: only 0. `'any'` accepts every exit code, but not a kill. */
  allowedCodes?: readonly number[] | 'any';
  /** The whole environment of the program; default: a fixed PATH and the C locale, nothing inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  signal?: AbortSignal;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const FAULT_TEXT_CHARS_MAX = 2000;

/** What programs see: nothing of our own environment reaches them. */
export const HOST_ENV: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  HOME: '/root',
};

/**
 * glibc sets 64 MiB of address space aside for every thread that allocates: under a limit of address space a program with
 * many threads (`qemu-img convert` with compression) would end for want of what it never uses.
 */
const FEW_ARENAS = { MALLOC_ARENA_MAX: '2' };

const fault = catalogue(
  {
    ProcessExecutionError: {
      status: 500,
      text: '%(description)s\nCommand: %(cmd)s\nExit code: %(exit_code)s\nStdout: %(stdout)s\nStderr: %(stderr)s',
    },
  },
  { module: 'nova.exception' },
);

/**
 * Runs a program: an argument list, never a shell. Everything else in this repository that starts a process does it
 * through here. Throws the Fault `ProcessExecutionError` for a program that cannot be started, fails, is killed, runs
 * too long or writes too much; its values are `cmd`, `exit_code`, `stdout`, `stderr`, `description`.
 */
export function run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const command = limited(argv, options);
  const maxBytes = options.maxOutputBytes ?? OUTPUT_BYTES_MAX;
  const allowed = options.allowedCodes ?? [0];
  return new Promise((resolve, reject) => {
    const failure = (description: string, code: number | string, stdout: string, stderr: string): Fault =>
      fault('ProcessExecutionError', {
        description: hide(description, options.secrets),
        cmd: hide((options.shownAs ?? argv).join(' '), options.secrets),
        exit_code: code,
        stdout: hide(cut(stdout), options.secrets),
        stderr: hide(cut(stderr), options.secrets),
      });
    if (options.signal?.aborted) return reject(failure('Aborted before start.', '-', '', ''));
    const child = spawn(must(command[0], 'command is not empty'), command.slice(1), {
      env: { ...(options.env ?? HOST_ENV), ...(options.memoryBytes === undefined ? {} : FEW_ARENAS) },
      cwd: options.cwd,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const out = collector(maxBytes);
    const err = collector(maxBytes);
    let killedFor: string | undefined;
    const kill = (why: string) => {
      killedFor ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => kill(`Took longer than ${options.timeoutMs} ms.`), options.timeoutMs);
    const onAbort = () => kill('Aborted.');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (!out.add(chunk)) kill(`Wrote more than ${maxBytes} bytes.`);
    });
    child.stderr?.on('data', (chunk: Buffer) => void err.add(chunk));
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    let settled = false;
    const settle = (finish: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      finish();
    };
    child.once('error', error => settle(() => reject(failure(error.message, '-', '', ''))));
    // A daemon keeps our pipes open after its parent has exited: what it wrote until then is all we wait for.
    child.once('exit', (code, signal) => {
      const finish = () =>
        settle(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
          const stdout = out.text();
          const stderr = err.text();
          if (killedFor !== undefined) return reject(failure(killedFor, '-', stdout, stderr));
          if (code === null) return reject(failure(`Killed by ${signal}.`, '-', stdout, stderr));
          if (allowed !== 'any' && !allowed.includes(code)) {
            return reject(failure('Unexpected error while running command.', code, stdout, stderr));
          }
          resolve({ code, stdout, stderr });
        });
      child.once('close', finish);
      setTimeout(finish, DRAIN_MS).unref();
    });
  });
}

/** How long output is still read after the program itself has ended. */
const DRAIN_MS = 500;

function limited(argv: readonly string[], options: RunOptions): readonly string[] {
  const limits: string[] = [];
  if (options.memoryBytes !== undefined) limits.push(`--as=${options.memoryBytes}`);
  if (options.stackBytes !== undefined) limits.push(`--stack=${options.stackBytes}`);
  if (options.cpuSeconds !== undefined) limits.push(`--cpu=${options.cpuSeconds}`);
  if (options.fileBytes !== undefined) limits.push(`--fsize=${options.fileBytes}`);
  if (options.processes !== undefined) limits.push(`--nproc=${options.processes}`);
  if (argv.length === 0) throw new Error('run: empty argument list');
  return limits.length === 0 ? argv : ['prlimit', ...limits, '--core=0', '--', ...argv];
}

function collector(maxBytes: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk: Buffer): boolean {
      const room = maxBytes - size;
      if (room > 0) chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      size += chunk.length;
      return size <= maxBytes;
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

const cut = (text: string): string =>
  text.length > FAULT_TEXT_CHARS_MAX ? `${text.slice(0, FAULT_TEXT_CHARS_MAX)}…` : text;

const hide = (text: string, secrets: readonly string[] | undefined): string =>
  (secrets ?? []).reduce((shown, secret) => (secret === '' ? shown : shown.replaceAll(secret, MASK)), text);
