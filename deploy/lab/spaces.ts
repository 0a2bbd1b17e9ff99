import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { systemClock } from '@folsom/core';
import { startBackground } from '@folsom/host/background';
import { HOST_ENV, run } from '@folsom/host/run';

/**
 * Hosts are namespaces that live as long as their first process. What a lab has made is found by what stands in the
 * environment of those processes, so that it is found after everything else was killed, too.
 */

/** What holds a host's namespaces, and the switch between them. */
export interface Space {
  host: string;
  /** As this process sees it; inside it is number 1. */
  pid: number;
}

export const SWITCH = '(switch)';
const DIR = 'FOLSOM_LAB_DIR';
const HOST = 'FOLSOM_LAB_HOST';
/** In the environment of every process that the lab starts in a host. */
const PROCESS = 'FOLSOM_LAB_PROCESS';

const SPACE_MS = 20_000;
const END_MS = 30_000;
const LOOK_MS = 20;
const STEP = { timeoutMs: 20_000 };

/** Takes up what others leave behind, as the first process of a host has to, and ends by nothing but SIGKILL. */
const HOLD = 'trap : HUP INT TERM; while :; do sleep 3600 & wait $!; done';

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Ended a moment ago, or a thread of the kernel.
    return undefined;
  }
};

const link = (path: string): string | undefined => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

const pids = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

function environmentOf(pid: number): Map<string, string> {
  const text = read(`/proc/${pid}/environ`) ?? '';
  return new Map(
    text.split('\0').map(pair => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

interface Known {
  pid: number;
  parent: number;
  /** Its number in its own namespace. */
  inner: number;
  zombie: boolean;
  stopped: boolean;
}

function statusOf(pid: number): Known | undefined {
  const text = read(`/proc/${pid}/status`);
  if (text === undefined) return undefined;
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  return {
    pid,
    parent: Number(field('PPid')),
    inner: Number(field('NSpid').split(/\s+/).at(-1)),
    zombie: field('State').startsWith('Z'),
    stopped: field('State').startsWith('T'),
  };
}

/** Every process that holds, or is about to hold, a namespace of the lab. */
function holders(dir: string): { pid: number; host: string }[] {
  return pids().flatMap(pid => {
    const environment = environmentOf(pid);
    const host = environment.get(HOST);
    return environment.get(DIR) === dir && host !== undefined ? [{ pid, host }] : [];
  });
}

/** The switch and the hosts that are there. */
export function findSpaces(dir: string): Map<string, Space> {
  const found = new Map<string, Space>();
  for (const { pid, host } of holders(dir)) {
    const status = statusOf(pid);
    // The child of the program that made the namespaces; what it starts to pass the time is not.
    if (status === undefined || status.zombie || status.inner !== 1) continue;
    found.set(host, { host, pid });
  }
  return found;
}

/** Makes the namespaces of a host, or of the switch, which needs the same. */
export async function makeSpace(dir: string, host: string): Promise<Space> {
  const name = `folsom-lab-${host.replace(/\W/g, '')}`;
  await startBackground(
    [
      'unshare',
      ...['--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--kill-child'],
      ...['--propagation', 'private', '--mount-proc', '--', 'sh', '-c', HOLD, name],
    ],
    { cwd: '/', env: { ...HOST_ENV, [DIR]: dir, [HOST]: host } },
  );
  const end = systemClock.monotonic() + SPACE_MS;
  for (;;) {
    const space = findSpaces(dir).get(host);
    // Before that it is still the program that makes them.
    if (space !== undefined && read(`/proc/${space.pid}/comm`)?.trim() === 'sh') return space;
    if (systemClock.monotonic() > end)
      throw new Error(`cannot make the namespaces of ${host}: is this root, on a machine that allows them?`);
    await systemClock.sleep(LOOK_MS);
  }
}

/** Words before an argument list that run it on a host. */
export const enter = ({ pid }: Space): string[] => [
  'nsenter',
  ...[`--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--'],
];

/** Words that run it on this machine, with the host's network alone. */
export const enterNetwork = ({ pid }: Space): string[] => ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];

/** A path of a host, as seen from here. */
export const inside = ({ pid }: Space, path: string): string => `/proc/${pid}/root${path}`;

/** Runs a program on a host to its end. */
export const runOn = (
  space: Space,
  argv: readonly string[],
  options: Partial<Parameters<typeof run>[1]> = {},
) => run([...enter(space), ...argv], { ...STEP, ...options });

/** Whether we are on the network of a space. */
export const standsIn = ({ pid }: Space): boolean =>
  link('/proc/self/ns/net') === link(`/proc/${pid}/ns/net`);

/** A process that the lab started on a host, the first of its family. */
export interface Running {
  name: string;
  pid: number;
  /** What runs, as the kernel calls it. */
  program: string;
  /** Whether SIGSTOP holds it. */
  stopped: boolean;
}

/** What the lab has started on a host and is there. */
export function runningOn(space: Space): Running[] {
  const own = link(`/proc/${space.pid}/ns/pid`);
  const named = new Map<number, string>();
  for (const pid of pids()) {
    if (link(`/proc/${pid}/ns/pid`) !== own) continue;
    const name = environmentOf(pid).get(PROCESS);
    if (name !== undefined) named.set(pid, name);
  }
  return [...named].flatMap(([pid, name]) => {
    const status = statusOf(pid);
    if (status === undefined || status.zombie || named.get(status.parent) === name) return [];
    return [{ name, pid, program: (read(`/proc/${pid}/comm`) ?? '').trim(), stopped: status.stopped }];
  });
}

/** Starts a program on a host, which goes on without us. What it says is appended to the file. */
export async function startOn(
  space: Space,
  process: { name: string; argv: readonly string[]; env: Record<string, string>; log: string; cwd?: string },
): Promise<void> {
  // The shell ends at once, and the host's first process takes over; the program has a session of its own.
  const script = 'cd "$0" || exit 1; setsid "$@" </dev/null &';
  const started = await startBackground(
    [...enter(space), 'sh', '-c', script, process.cwd ?? '/', ...process.argv],
    { cwd: '/', env: { ...process.env, [PROCESS]: process.name }, logFile: process.log },
  );
  const { code } = await started.ended;
  if (code !== 0) throw new Error(`${process.name} cannot be started on ${space.host}: see ${process.log}`);
}

/** Sends a signal to a process, or its whole group. False where it is not there. */
export function signal(pid: number, name: NodeJS.Signals, group = false): boolean {
  try {
    process.kill(group ? -pid : pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until a process that was told to end has. */
export async function gone(pid: number, timeoutMs: number): Promise<boolean> {
  const end = systemClock.monotonic() + timeoutMs;
  for (;;) {
    const status = statusOf(pid);
    if (status === undefined || status.zombie) return true;
    if (systemClock.monotonic() > end) return false;
    await systemClock.sleep(LOOK_MS);
  }
}

/** Ends everything on every host, and with that the hosts: nothing of a namespace outlives its processes. */
export async function removeSpaces(dir: string): Promise<number> {
  const spaces = findSpaces(dir);
  const all = holders(dir);
  for (const { pid } of all) signal(pid, 'SIGKILL');
  for (const { pid, host } of all)
    if (!(await gone(pid, END_MS))) throw new Error(`the first process of ${host} (${pid}) does not end`);
  return spaces.size;
}
