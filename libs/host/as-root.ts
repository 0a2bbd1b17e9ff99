import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { must } from '@folsom/core';
import { type RunOptions, run } from './run.ts';
import type { Runner } from './runner.ts';

/** The environment of what runs with rights that its caller has not: nothing of the caller's but what is named. */
const BASE = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' };

/** Runs a program with this process's own input and output, and gives its exit code; 128 and more after a signal. */
export async function spawnAsRoot(
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<number> {
  const [program, ...args] = argv;
  const child = spawn(must(program, 'program is there'), args, {
    stdio: 'inherit',
    env: { ...BASE, ...env },
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + constants.signals[must(signal, 'signal is there')];
}

/** What stands before a command that needs root: `root_helper`, or rootwrap by way of sudo where `rootwrap_config` is set. */
export function rootHelper(helper: string, rootwrapConfig: string | null): string[] {
  const words = helper.split(/\s+/).filter(word => word !== '');
  return rootwrapConfig === null || words.length > 1 ? words : [...words, 'nova-rootwrap', rootwrapConfig];
}

/**
 * Runs commands with a helper in front: for a daemon that is not root. `env NAME=VALUE… dnsmasq` loses its first word, as
 * rootwrap's filters know it.
 */
export function helperRunner(helper: readonly string[]): Runner {
  return Object.assign(
    (argv: readonly string[], options: RunOptions) =>
      run([...helper, ...(argv[0] === 'env' ? argv.slice(1) : argv)], options),
    { prefix: helper },
  );
}
