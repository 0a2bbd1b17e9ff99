import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '@folsom/core';
import { addDevice, encodeRing, newBuilder, rebalance, ringDataOf } from '@folsom/ring';
import { type RunningProgram, startProgram } from '@folsom/testing';

const KINDS = ['account', 'container', 'object'] as const;
const DEVICES = ['sdb1', 'sdb2', 'sdb3'];

/** The four servers as processes of their own, each with one worker, over three directories as devices. */
export interface BenchServers {
  port: number;
  objectPort: number;
  containerPort: number;
  token: string;
  /** `/v1/ACCOUNT` */
  path: string;
  /** Processor seconds that all servers have used so far. */
  cpuSeconds(): number;
  /** Resident memory of all servers, bytes. */
  memory(): number;
  stop(): Promise<void>;
}

export async function startServers(
  folder: string,
  basePort: number,
  replicas: number,
): Promise<BenchServers> {
  const etc = join(folder, 'etc');
  const devices = join(folder, 'node');
  mkdirSync(etc, { recursive: true });
  for (const device of DEVICES) mkdirSync(join(devices, device), { recursive: true });
  writeFileSync(join(etc, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = bench\n');
  const programs: RunningProgram[] = [];
  const start = async (name: string, port: number, conf: string) => {
    const file = join(etc, `${name}.conf`);
    writeFileSync(file, conf);
    programs.push(
      await startProgram(`swift-${name}`, [file], {
        logFile: join(folder, `${name}.log`),
        ports: [{ host: '127.0.0.1', port }],
      }),
    );
  };
  for (const [index, kind] of KINDS.entries()) {
    const port = basePort + 1 + index;
    const builder = newBuilder(10, replicas, 1);
    DEVICES.forEach((device, id) => {
      addDevice(builder, { id, zone: id, ip: '127.0.0.1', port, device, weight: 100, meta: '' });
    });
    rebalance(builder, { nowSeconds: 0, random: seededRandom(1) });
    writeFileSync(join(etc, `${kind}.ring.gz`), encodeRing(ringDataOf(builder)));
    await start(
      `${kind}-server`,
      port,
      `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nswift_dir = ${etc}\ndevices = ${devices}\nmount_check = false\nworkers = 1\n[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`,
    );
  }
  const port = basePort;
  await start(
    'proxy-server',
    port,
    `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nswift_dir = ${etc}\nworkers = 1\n` +
      '[pipeline:main]\npipeline = catch_errors healthcheck cache tempauth proxy-logging proxy-server\n' +
      '[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n' +
      '[filter:catch_errors]\nuse = egg:swift#catch_errors\n[filter:healthcheck]\nuse = egg:swift#healthcheck\n' +
      '[filter:cache]\nuse = egg:swift#memcache\n[filter:proxy-logging]\nuse = egg:swift#proxy_logging\n' +
      `[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testing .admin http://127.0.0.1:${port}/v1/AUTH_test\n`,
  );
  const login = await fetch(`http://127.0.0.1:${port}/auth/v1.0`, {
    headers: { 'X-Auth-User': 'test:tester', 'X-Auth-Key': 'testing' },
  });
  const token = login.headers.get('x-auth-token');
  if (!token) throw new Error(`login answered ${login.status}`);
  const pids = () => programs.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
  return {
    port,
    objectPort: basePort + 3,
    containerPort: basePort + 2,
    token,
    path: '/v1/AUTH_test',
    cpuSeconds: () => pids().reduce((sum, pid) => sum + cpuOf(pid), 0),
    memory: () => pids().reduce((sum, pid) => sum + residentOf(pid), 0),
    stop: async () => {
      for (const program of programs.reverse()) await program.stop();
    },
  };
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap(task =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Clock ticks a second on every Linux this runs on. */
const TICKS = 100;

function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return 0;
  }
}

function residentOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
