import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must, systemClock } from '@folsom/core';
import { HOST_ENV } from '@folsom/host/run';
import { request } from '../folsom/request.ts';
import type { LabPlan, Place } from './place.ts';
import {
  type HostPlan,
  type ProcessName,
  SERVERS,
  SERVICES,
  type ServerName,
  type Service,
  type ServiceName,
} from './plan.ts';
import { SERVER_PORTS, serverProcess, takesConnections } from './servers.ts';
import { findSpaces, gone, type Running, runningOn, type Space, signal, startOn } from './spaces.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const BIN = join(ROOT, 'node_modules', '.bin');
/** What our programs see: their neighbours by name, nothing of ours. */
export const HOST_SHELL_ENV: Readonly<Record<string, string>> = {
  ...HOST_ENV,
  PATH: `${BIN}:${HOST_ENV.PATH}`,
};

// A busy machine is no failure: a broker took two minutes to start on one.
const READY_MS = 600_000;
const STOP_MS = 60_000;
const ASK_MS = 5000;
const LOOK_MS = 200;
const CLOCK = fileURLToPath(new URL('./clock.mjs', import.meta.url));

/** A lab that is there. */
export interface Lab {
  place: Place;
  plan: LabPlan;
  spaces: ReadonlyMap<string, Space>;
}

export const openLab = (place: Place, plan: LabPlan): Lab => ({ place, plan, spaces: findSpaces(place.dir) });

export const hostOf = (lab: Lab, name: string): HostPlan =>
  must(
    lab.plan.plan.find(host => host.name === name),
    `there is a host ${name}`,
  );

export const spaceOf = (lab: Lab, host: string): Space =>
  must(lab.spaces.get(host), `the namespaces of ${host} are there`);

const isServer = (name: string): name is ServerName => SERVERS.includes(name as ServerName);

/** A process of a host. Erlang's port mapper is a servant of whoever needs it. */
export const found = (lab: Lab, host: string, name: string): Running | undefined =>
  runningOn(spaceOf(lab, host)).find(process => process.name === name && process.program !== 'epmd');

/** The words that run one of our programs, with the node that runs us. */
export const programWords = (name: string, args: readonly string[]): string[] => [
  process.execPath,
  join(ROOT, 'deploy', 'bin', `${name}.mjs`),
  ...args,
];

/** Where a host's clock is told how far to step. */
export const CLOCK_FILE = '/run/folsom-lab-clock';

const serviceProcess = (name: ServiceName) => ({
  argv: programWords(name, (SERVICES[name] as Service).args),
  env: { ...HOST_SHELL_ENV, NODE_OPTIONS: `--import=${CLOCK}`, FOLSOM_LAB_CLOCK: CLOCK_FILE },
});

/** Starts a process that is not there, and waits until it does its work. */
export async function start(lab: Lab, host: string, name: ProcessName): Promise<void> {
  const log = lab.place.logOf(host, name);
  const from = sizeOf(log);
  const running = found(lab, host, name) !== undefined;
  if (!running) {
    const { argv, env } = isServer(name) ? serverProcess(name, host) : serviceProcess(name);
    await startOn(spaceOf(lab, host), { name, argv, env, log });
  }
  const end = systemClock.monotonic() + READY_MS;
  for (;;) {
    // What says it once in its log has said it.
    if (await isReady(lab, host, name, running ? 0 : from)) return;
    if (found(lab, host, name) === undefined || systemClock.monotonic() > end)
      throw new Error(`${name} does not start on ${host}:\n${tail(log)}`);
    await systemClock.sleep(LOOK_MS);
  }
}

/** Whether a process that runs does its work; `from` is where its part of the log begins. */
async function isReady(lab: Lab, host: string, name: ProcessName, from: number): Promise<boolean> {
  const { address } = hostOf(lab, host);
  // A broker listens when it has begun, and is a member of its cluster.
  if (isServer(name)) return takesConnections(address, SERVER_PORTS[name], ASK_MS);
  const { ready } = SERVICES[name] as Service;
  if (ready === 'log') return since(lab.place.logOf(host, name), from).includes('"message":"ready"');
  return request(`http://${address}:${ready.port}${ready.path}`, { method: 'GET', timeoutMs: ASK_MS }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** Ends a process as an operator does; answers whether it was there. */
export async function stop(lab: Lab, host: string, name: ProcessName): Promise<boolean> {
  const process = found(lab, host, name);
  if (process === undefined) return false;
  signal(process.pid, 'SIGTERM');
  if (!(await gone(process.pid, STOP_MS))) throw new Error(`${name} on ${host} does not end in time`);
  return true;
}

/** Ends it as a power cut does. */
export async function kill(lab: Lab, host: string, name: ProcessName): Promise<boolean> {
  const process = found(lab, host, name);
  if (process === undefined) return false;
  signal(process.pid, 'SIGKILL', true);
  await gone(process.pid, STOP_MS);
  return true;
}

export function freeze(lab: Lab, host: string, name: ProcessName, is: 'SIGSTOP' | 'SIGCONT'): boolean {
  const process = found(lab, host, name);
  return process !== undefined && signal(process.pid, is, true);
}

/** Everything that should run, by host. */
export const planned = (lab: Lab): { host: string; name: ProcessName }[] =>
  lab.plan.plan.flatMap(({ name: host, servers, services }) =>
    [...servers, ...(lab.plan.bare ? [] : services)].map(name => ({ host, name })),
  );

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

const TAIL_BYTES = 3000;
const tail = (file: string): string => since(file, Math.max(0, sizeOf(file) - TAIL_BYTES));

/** What was written to a file behind a place. */
function since(file: string, from: number): string {
  const bytes = Buffer.alloc(Math.max(0, sizeOf(file) - from));
  if (bytes.length === 0) return '';
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes, 0, bytes.length, from);
  } finally {
    closeSync(handle);
  }
  return bytes.toString();
}
