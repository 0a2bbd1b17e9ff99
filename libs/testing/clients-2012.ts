import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunResult, run } from '@folsom/host';
import { pipSettings, withLock } from './python-environments.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REQUIREMENTS = join(ROOT, 'test', 'clients', 'requirements-2012.txt');
const INSTALL_TIMEOUT_MS = 180_000;

/** The command lines of 2012: `keystone`, `glance`, `nova`, `swift` and a Python 2.7 with boto. */
export interface Clients2012 {
  /** Folder with the programs. */
  bin: string;
  /** Runs one of them; `env` is its whole environment apart from PATH and the locale. */
  run(
    argv: readonly string[],
    env: Record<string, string>,
    options?: { stdinFile?: string; cwd?: string; timeoutMs?: number; enter?: readonly string[] },
  ): Promise<RunResult>;
}

/** Where a Python 2.7 is on this machine, or undefined. */
export async function findPython27(): Promise<string | undefined> {
  const candidates = ['/usr/bin/python2.7', '/usr/local/bin/python2.7'];
  for (const base of [process.env.PYENV_ROOT, join(homedir(), '.pyenv'), '/opt/pyenv', '/root/.pyenv']) {
    if (!base) continue;
    const versions = await readdir(join(base, 'versions')).catch(() => []);
    for (const version of versions.filter(name => name.startsWith('2.7'))) {
      candidates.push(join(base, 'versions', version, 'bin', 'python2.7'));
    }
  }
  return candidates.find(existsSync);
}

let built: Promise<Clients2012 | undefined> | undefined;

/**
 * Builds (once, kept in `.cache/`) a virtualenv with the original clients and resolves to it; to undefined, with a loud
 * word, where there is no Python 2.7. In CI that is an error.
 */
export function clients2012(): Promise<Clients2012 | undefined> {
  built ??= build();
  return built;
}

async function build(): Promise<Clients2012 | undefined> {
  const python = await findPython27();
  if (python === undefined) {
    const word = 'no Python 2.7 on this machine: the tests with the clients of 2012 do not run';
    if (process.env.CI) throw new Error(word);
    console.warn(`SKIPPED: ${word}`);
    return undefined;
  }
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const key = createHash('sha256').update(requirements).update(python).digest('hex').slice(0, 12);
  const cache = join(ROOT, '.cache');
  const venv = join(cache, `clients-2012-${key}`);
  const done = join(venv, '.complete');
  if (!existsSync(done)) {
    await mkdir(cache, { recursive: true });
    await withLock(join(cache, `clients-2012-${key}.lock`), 2 * INSTALL_TIMEOUT_MS, async () => {
      if (!existsSync(done)) await install(python, venv, requirements);
    });
  }
  const bin = join(venv, 'bin');
  return {
    bin,
    run: (argv, env, options = {}) =>
      run(
        [
          ...(options.enter ?? []),
          // Entering a namespace forgets the working directory.
          ...(options.enter && options.cwd ? ['env', '-C', options.cwd] : []),
          // The clients look at what kind of file their standard input is.
          ...(options.stdinFile ? ['sh', '-c', 'exec "$@" <"$0"', options.stdinFile] : []),
          join(bin, argv[0]!),
          ...argv.slice(1),
        ],
        {
          timeoutMs: options.timeoutMs ?? 60_000,
          allowedCodes: 'any',
          env: {
            PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
            LC_ALL: 'C.UTF-8',
            PYTHONIOENCODING: 'utf-8',
            PYTHONWARNINGS: 'ignore',
            HOME: cache,
            ...env,
          },
          ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        },
      ),
  };
}

async function install(python: string, venv: string, requirements: string): Promise<void> {
  const tool = `${venv}.tool`;
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: homedir(), ...pipSettings() };
  const options = { timeoutMs: INSTALL_TIMEOUT_MS, env };
  await rm(venv, { recursive: true, force: true });
  // virtualenv 20.15 is the last that makes environments for Python 2.7.
  await run([python, '-m', 'pip', 'install', '-q', '--target', tool, 'virtualenv==20.15.1'], options);
  await run([python, '-m', 'virtualenv', '-q', venv], { ...options, env: { ...env, PYTHONPATH: tool } });
  const packages = requirements.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  for (const name of packages) {
    await run([join(venv, 'bin', 'pip'), 'install', '-q', '--no-deps', name], options);
  }
  await writeFile(join(venv, '.complete'), '');
  await rm(tool, { recursive: true, force: true });
}
