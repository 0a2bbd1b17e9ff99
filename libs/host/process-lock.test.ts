import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { iptables } from './iptables.ts';
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

it('packet filters are neither read nor written while an original holds nova-iptables', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'process-lock-'));
  const holder = spawn('python3', ['-c', HOLDER, join(dir, 'nova-iptables')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    await once(holder.stdout, 'data');
    const done: string[] = [];
    const run = async ([program = '']: readonly string[]) => {
      done.push(program);
      return { code: 0, stdout: '', stderr: '' };
    };
    const runner = Object.assign(run, { prefix: [] });
    const rules = iptables({ runner, binary: 'nova-network', lockPath: dir });
    rules.addRule('nat', 'snat', '-s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1');
    const applied = rules.apply();
    for (let turn = 0; turn < 100; turn++) await new Promise(resolve => setImmediate(resolve));
    expect(done).toEqual([]);
    holder.stdin.end('\n');
    await applied;
    expect(done).toEqual(['iptables-save', 'iptables-restore']);
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
