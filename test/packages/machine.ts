import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const COMMAND_MS = 300_000;
const BOOT_MS = 120_000;
const POLL_MS = 500;
const OUTPUT_BYTES = 32 * 1024 * 1024;

/** Why no such machine can be started here; undefined when it can. */
export function cannotBoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  const missing = ['/usr/bin/systemd-nspawn', '/usr/bin/dpkg-deb', '/usr/sbin/libvirtd'].filter(
    path => !existsSync(path),
  );
  return missing.length > 0 ? missing.join(' and ') : undefined;
}

/** A machine of its own that boots with systemd: this machine's files below, and everything it writes above and gone at the end. */
export interface Machine {
  /** Runs a line of shell as root; its output. Throws with both outputs when it fails. */
  run(line: string): string;
  /** Whether a line of shell ends well. */
  succeeds(line: string): boolean;
  stop(): Promise<void>;
}

/** @param folder given to the machine as /packages */
export async function bootMachine(folder: string): Promise<Machine> {
  const scratch = mkdtempSync(join(tmpdir(), 'folsom-machine-'));
  const memory = join(scratch, 'memory');
  const root = join(scratch, 'root');
  mkdirSync(memory);
  mkdirSync(root);
  host('mount', '-t', 'tmpfs', '-o', 'size=4g', 'folsom-machine', memory);
  const unmount = () => {
    for (const path of [root, memory]) spawnSync('umount', ['-l', path]);
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    for (const name of ['upper', 'work']) mkdirSync(join(memory, name));
    const layers = `lowerdir=/,upperdir=${join(memory, 'upper')},workdir=${join(memory, 'work')}`;
    host('mount', '-t', 'overlay', 'folsom-machine', '-o', layers, root);
    const device = (path: string) => (existsSync(path) ? [`--bind=${path}`] : []);
    const container = spawn(
      'systemd-nspawn',
      [
        ...['--quiet', `--directory=${root}`, `--bind-ro=${folder}:/packages`, '--capability=all'],
        ...['--register=no', '--keep-unit', '--private-network', '--machine=folsom-packages', '--boot'],
        ...device('/dev/net/tun'),
        ...device('/dev/kvm'),
        'systemd.unit=basic.target',
      ],
      { stdio: 'ignore' },
    );
    const ended = new Promise<void>(resolve => container.once('exit', () => resolve()));
    const stop = async () => {
      const leader = leaderOf(container.pid ?? 0);
      // systemd's signal for "power off"; what does not heed it is ended with its container.
      if (leader !== undefined) spawnSync('kill', ['-s', 'RTMIN+4', leader]);
      const late = setTimeout(() => container.kill('SIGKILL'), BOOT_MS);
      await ended;
      clearTimeout(late);
      unmount();
    };
    try {
      await booted(() => leaderOf(container.pid ?? 0));
      // Controllers of the first kind can only be read in there, and libvirt would write: it does without what it does not see.
      inside(
        leaderOf(container.pid ?? 0) ?? 'gone',
        'for d in /sys/fs/cgroup/*; do case $d in */systemd|*/unified) ;; *) mountpoint -q $d && umount $d || true ;; esac; done',
      );
    } catch (error) {
      await stop();
      throw error;
    }
    const there = () => leaderOf(container.pid ?? 0) ?? 'gone';
    return {
      run: line => {
        const { ok, output } = inside(there(), line);
        if (!ok) throw new Error(`${line}\n${output}`);
        return output;
      },
      succeeds: line => inside(there(), line).ok,
      stop,
    };
  } catch (error) {
    unmount();
    throw error;
  }
}

async function booted(leader: () => string | undefined): Promise<void> {
  const late = Date.now() + BOOT_MS;
  for (;;) {
    const pid = leader();
    if (pid !== undefined && inside(pid, 'systemctl is-active --quiet basic.target').ok) return;
    if (Date.now() > late) throw new Error('the machine has not booted');
    await pause(POLL_MS);
  }
}

/** Process id of the machine's own systemd. */
function leaderOf(pid: number): string | undefined {
  let at = String(pid);
  for (let depth = 0; depth < 3; depth++) {
    const children = `/proc/${at}/task/${at}/children`;
    const [child] = existsSync(children) ? readFileSync(children, 'utf8').split(' ') : [];
    if (child === undefined || child === '') return undefined;
    if (readFileSync(`/proc/${child}/comm`, 'utf8') === 'systemd\n') return child;
    at = child;
  }
  return undefined;
}

function inside(leader: string, line: string): { ok: boolean; output: string } {
  const result = spawnSync(
    'nsenter',
    ['-t', leader, '-m', '-u', '-i', '-n', '-p', '--', '/bin/sh', '-ec', line],
    {
      encoding: 'utf8',
      timeout: COMMAND_MS,
      maxBuffer: OUTPUT_BYTES,
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: '/root',
        LC_ALL: 'C.UTF-8',
        DEBIAN_FRONTEND: 'noninteractive',
      },
    },
  );
  return { ok: result.status === 0, output: `${result.stdout}${result.status === 0 ? '' : result.stderr}` };
}

function host(...[command, ...words]: [string, ...string[]]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
}
