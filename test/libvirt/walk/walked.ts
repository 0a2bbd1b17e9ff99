import { spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@folsom/core';
import { buildGuestImage } from '@folsom/deploy/guest-image/build';
import { hostNamespace, startProgram } from '@folsom/testing';
import type { WalkResult } from './walk.ts';
import type { WalkerOptions } from './walker.ts';

const OUTSIDE = '192.0.2.20';
const READY_MS = 900_000;

/** Starts `folsom up` with real guests on a host of its own, walks through it, and takes everything away. */
export async function walked(
  options: Omit<WalkerOptions, 'dir' | 'outside'> & {
    report(line: string): void;
    /** Leaves state and logs there where something was wrong. */
    keep?: boolean;
  },
): Promise<WalkResult> {
  const { report, keep = false, ...given } = options;
  const dir = await mkdtemp(join(tmpdir(), 'folsom-walk-'));
  const state = join(dir, 'var');
  const guest = process.env.FOLSOM_GUEST_IMAGE ?? '/var/cache/folsom/guest-image';
  await buildGuestImage({ directory: guest, log: silentLogger });
  // The packages that it was built of are not needed.
  const filter = (path: string) => path !== join(guest, 'work');
  await cp(guest, join(state, 'guest-image'), { recursive: true, filter });
  const host = await hostNamespace(`wk${process.pid % 100_000}`, [`${OUTSIDE}/24`]);
  let wrong = 1;
  try {
    const cloud = await startProgram(
      'folsom',
      ['up', '--state-dir', state, '--compute-driver', 'libvirt', '--services', 'identity,image,compute'],
      {
        logFile: join(dir, 'terminal.log'),
        enter: host.enter,
        until: /^ready in [\d.]+ s$/m,
        timeoutMs: READY_MS,
      },
    );
    try {
      const result = await insideOf(host.enter, { ...given, dir: state, outside: OUTSIDE }, report);
      wrong = result.wrong.length;
      return result;
    } finally {
      await cloud.stop();
    }
  } finally {
    await host.remove();
    if (keep && wrong > 0) report(`kept: ${dir}`);
    else await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function insideOf(
  enter: readonly string[],
  options: WalkerOptions,
  report: (line: string) => void,
): Promise<WalkResult> {
  const program = fileURLToPath(new URL('./walker.ts', import.meta.url));
  const argv = [...enter, process.execPath, program, JSON.stringify(options)];
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = '';
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', line => {
    last = line;
    if (!line.startsWith('{')) report(line);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => {
      if (code === 0) resolve(JSON.parse(last) as WalkResult);
      else reject(new Error(`the walker ended with ${code}`));
    });
  });
}
