import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@folsom/core';
import { addDevice, encodeRing, newBuilder, rebalance, ringDataOf } from '@folsom/ring';
import { programFile } from '@folsom/testing';

/** Loaded by every process whose profile is wanted. */
const PROFILER = new URL('../profile.ts', import.meta.url).href;

const KINDS = ['account', 'container', 'object'] as const;
const DEVICES = ['sdb1', 'sdb2', 'sdb3'];

/** The proxy's pipeline, its own users in the conf file. */
export const proxyPipeline = (port: number): string =>
  '[pipeline:main]\npipeline = catch_errors healthcheck cache tempauth proxy-logging proxy-server\n' +
  '[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n' +
  '[filter:catch_errors]\nuse = egg:swift#catch_errors\n[filter:healthcheck]\nuse = egg:swift#healthcheck\n' +
  '[filter:cache]\nuse = egg:swift#memcache\n[filter:proxy-logging]\nuse = egg:swift#proxy_logging\n' +
  `[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testing .admin http://127.0.0.1:${port}/v1/AUTH_test\n`;

/** Running servers of an object store with an account, a token, and the containers `bench` and `listed`. */
export interface BenchServers {
  port: number;
  headers: Record<string, string>;
  /** `/v1/ACCOUNT` */
  path: string;
  /** Directory that holds the devices' directories. */
  devices: string;
  /** Processor seconds that all servers have used so far. */
  cpuSeconds(): number;
  /** The same by program. */
  cpuByProgram(): Record<string, number>;
  /** The processes of each program that serve. */
  pids: Readonly<Record<string, readonly number[]>>;
  /** Resident memory of all servers, bytes. */
  memory(): number;
  stop(): Promise<void>;
}

/** How servers are started. */
export interface StartOptions {
  replicas: number;
  /** Where their profiles go, if any are wanted. */
  profiles: string | null;
}

/** The four servers as processes of their own, each with one worker, over three directories as devices. */
export async function startServers(
  folder: string,
  port: number,
  { replicas, profiles }: StartOptions,
): Promise<BenchServers> {
  const etc = join(folder, 'etc');
  const devices = join(folder, 'node');
  mkdirSync(etc, { recursive: true });
  for (const device of DEVICES) mkdirSync(join(devices, device), { recursive: true });
  writeFileSync(join(etc, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = bench\n');
  const programs: Program[] = [];
  const start = (name: string, conf: string) => {
    const file = join(etc, `${name}.conf`);
    writeFileSync(file, conf);
    const argv = [programFile(`swift-${name}`), file];
    programs.push(startProgram(name.replace('-server', ''), argv, join(folder, `${name}.log`), profiles));
  };
  for (const [index, kind] of KINDS.entries()) {
    const own = port + 1 + index;
    const builder = newBuilder(10, replicas, 1);
    DEVICES.forEach((device, id) => {
      addDevice(builder, { id, zone: id, ip: '127.0.0.1', port: own, device, weight: 100, meta: '' });
    });
    rebalance(builder, { nowSeconds: 0, random: seededRandom(1) });
    writeFileSync(join(etc, `${kind}.ring.gz`), encodeRing(ringDataOf(builder)));
    start(
      `${kind}-server`,
      `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${own}\nswift_dir = ${etc}\ndevices = ${devices}\nmount_check = false\nworkers = 1\n[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`,
    );
  }
  start(
    'proxy-server',
    `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nswift_dir = ${etc}\nworkers = 1\n${proxyPipeline(port)}`,
  );
  return ready(programs, port, devices, [port + 1, port + 2, port + 3]);
}

/** The whole store in one process, as `folsom up` runs it, with `replicas` devices. */
export function startOneProcess(
  folder: string,
  port: number,
  { replicas, profiles }: StartOptions,
): Promise<BenchServers> {
  mkdirSync(folder, { recursive: true });
  const program = startProgram(
    'store',
    [fileURLToPath(new URL('one-process.ts', import.meta.url)), folder, String(port), String(replicas)],
    join(folder, 'log'),
    profiles,
  );
  return ready([program], port, join(folder, 'node'), []);
}

interface Program {
  name: string;
  pid: number;
  ended(): boolean;
  stop(): Promise<void>;
}

/** A program whose output goes straight to a file: reading it here would take processor time from the client. */
export function startProgram(
  name: string,
  argv: readonly string[],
  logFile: string,
  profiles: string | null = null,
): Program {
  const log = openSync(logFile, 'a');
  const child: ChildProcess = spawn(process.execPath, argv, {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      UV_THREADPOOL_SIZE: '16',
      ...(profiles === null ? {} : { BENCH_PROFILES: profiles, NODE_OPTIONS: `--import ${PROFILER}` }),
    },
  });
  closeSync(log);
  const exited = new Promise<void>(resolve => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return {
    name,
    pid: child.pid ?? 0,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

const READY_SECONDS = 60;

/** Waits until all ports answer, logs in, and makes the containers. */
async function ready(
  programs: Program[],
  port: number,
  devices: string,
  others: readonly number[],
): Promise<BenchServers> {
  const origin = `http://127.0.0.1:${port}`;
  const path = '/v1/AUTH_test';
  const deadline = performance.now() + READY_SECONDS * 1000;
  const stop = async () => {
    for (const program of programs.toReversed()) await program.stop();
  };
  try {
    const answers = async (url: string, headers: Record<string, string> = {}, method = 'GET') => {
      for (;;) {
        try {
          return await fetch(url, { method, headers });
        } catch (error) {
          if (performance.now() > deadline || programs.some(program => program.ended())) throw error;
          await new Promise(resolve => setTimeout(resolve, 50));
        }
      }
    };
    for (const other of others) await (await answers(`http://127.0.0.1:${other}/`)).text();
    const login = await answers(`${origin}/auth/v1.0`, {
      'X-Auth-User': 'test:tester',
      'X-Auth-Key': 'testing',
    });
    const token = login.headers.get('x-auth-token');
    if (!token) throw new Error(`login answered ${login.status}`);
    const headers = { 'X-Auth-Token': token };
    for (const name of ['bench', 'listed']) {
      const made = await answers(`${origin}${path}/${name}`, headers, 'PUT');
      if (made.status >= 300) throw new Error(`container: ${made.status}`);
    }
    const all = programs.map(({ name, pid }) => ({ name, pids: [pid, ...childrenOf(pid)] }));
    const sum = (of: (pid: number) => number, pids = all.flatMap(program => program.pids)) =>
      pids.reduce((total, pid) => total + of(pid), 0);
    return {
      port,
      headers,
      path,
      devices,
      cpuSeconds: () => sum(cpuOf),
      cpuByProgram: () => Object.fromEntries(all.map(({ name, pids }) => [name, sum(cpuOf, pids)])),
      // A program with workers only watches over them itself.
      pids: Object.fromEntries(all.map(({ name, pids }) => [name, pids.length > 1 ? pids.slice(1) : pids])),
      memory: () => sum(residentOf),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** Clock ticks a second on every Linux this runs on. */
const TICKS = 100;

/** Processor seconds of a process with all its threads. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
