import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureNetworkBridge } from './network-bridge.ts';
import type { Runner } from './runner.ts';

// What the original's daemons do: an exclusive record lock on the whole file.
const HOLDER = `
import fcntl, sys
f = open(sys.argv[1], 'w')
fcntl.lockf(f, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.readline()
`;

let lockPath: string;
let holder: ChildProcess | undefined;
beforeEach(() => {
  lockPath = mkdtempSync(join(tmpdir(), 'network-bridge-'));
});
afterEach(() => {
  holder?.kill();
  rmSync(lockPath, { recursive: true });
});

const hold = async (name: string): Promise<ChildProcess> => {
  holder = spawn('python3', ['-c', HOLDER, join(lockPath, name)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout!, 'data');
  return holder;
};

/** A host with a card, where `made` says which devices have been made. */
function host(made: string[]): Runner {
  const run = async (argv: readonly string[]) => {
    const show = argv.indexOf('show') > 0 ? argv.at(-1)! : undefined;
    const there = show === 'eth1' || made.includes(show ?? '');
    if (argv[2] === 'add') made.push(argv[3] === 'link' ? argv[6]! : argv[3]!);
    const stdout = there ? JSON.stringify([{ ifname: show, addr_info: [] }]) : '[]';
    return { code: show === undefined || there ? 0 : 1, stdout, stderr: '' };
  };
  return Object.assign(run, { prefix: [] });
}

it.each([
  ['ensure_vlan', []],
  ['ensure_bridge', ['vlan7']],
])('an original that holds nova-%s is waited for', async (name, before) => {
  const other = await hold(`nova-${name}`);
  const made: string[] = [];
  const network = { label: 'private', bridge: 'br7', vlan: 7, bridgeInterface: null };
  const settings = { lockPath, mtu: null, flatInterface: null, vlanInterface: 'eth1' };
  const done = ensureNetworkBridge({ runner: host(made), ...settings }, network);
  // Time enough for work that waits for nobody.
  for (let turn = 0; turn < 100; turn++) await new Promise(resolve => setImmediate(resolve));
  expect(made).toEqual(before);
  other.stdin!.end('\n');
  await done;
  expect(made).toEqual(['vlan7', 'br7']);
});
