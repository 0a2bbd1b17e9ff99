import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withProcessLock } from './process-lock.ts';

// What the original's daemons do: an exclusive record lock on the whole file.
const HOLDER = `
import fcntl, sys
f = open(sys.argv[1], 'w')
fcntl.lockf(f, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.readline()
`;

it('waits for a process that holds the lock file as the original does', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'process-lock-'));
  const path = join(dir, 'nova-iptables');
  const holder = spawn('python3', ['-c', HOLDER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(holder.stdout, 'data');
    const seen: string[] = [];
    const ours = withProcessLock(dir, 'iptables', async () => void seen.push('ours'));
    // Time enough for work that waits for nobody.
    await new Promise(resolve => setImmediate(resolve));
    seen.push('let go');
    holder.stdin.end('\n');
    await ours;
    expect(seen).toEqual(['let go', 'ours']);
  } finally {
    holder.kill();
    rmSync(dir, { recursive: true });
  }
});

it('does one work of a name at a time, and goes on after one that fails', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'process-lock-'));
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await Promise.resolve();
    steps.push(`${name} ends`);
    if (name === 'a') throw new Error('a failed');
  };
  const lockPath = join(dir, 'lock');
  const results = await Promise.allSettled([
    withProcessLock(lockPath, 'iptables', work('a')),
    withProcessLock(lockPath, 'iptables', work('b')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  expect(existsSync(join(lockPath, 'nova-iptables'))).toBe(true);
  rmSync(dir, { recursive: true });
});
