import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Layout } from './layout.ts';

/** What a running `folsom up` tells the other commands. */
export interface Running {
  pid: number;
  /** Start time of the process in clock ticks since boot: a pid alone may have been given to another program. */
  started: string;
  since: string;
  hostIp: string;
  services: readonly { name: string; addresses: readonly string[] }[];
  /** `/readyz` of each HTTP service. */
  hypervisor: string;
}

export async function writeRunning(layout: Layout, running: Omit<Running, 'pid' | 'started'>): Promise<void> {
  const entry: Running = { pid: process.pid, started: (await startOf(process.pid)) ?? '', ...running };
  await writeFile(`${layout.running}.new`, `${JSON.stringify(entry, null, 2)}\n`, { mode: 0o600 });
  await rename(`${layout.running}.new`, layout.running);
}

/** The cloud of this state directory if it runs now; a file left by a crash does not count. */
export async function readRunning(layout: Layout): Promise<Running | undefined> {
  const text = await readFile(layout.running, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const running = JSON.parse(text) as Running;
  return (await startOf(running.pid)) === running.started ? running : undefined;
}

export const forgetRunning = (layout: Layout): Promise<void> => rm(layout.running, { force: true });

/** Field 22 of /proc/PID/stat; undefined when there is no such process. */
export async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses and may hold spaces.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** Resident memory of a process in bytes. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  const kib = text?.match(/^VmRSS:\s+(\d+) kB/m)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
