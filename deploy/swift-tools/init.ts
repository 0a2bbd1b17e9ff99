import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '@folsom/core';
import { startBackground } from '@folsom/host/background';

const MAIN_SERVERS = ['proxy-server', 'account-server', 'container-server', 'object-server'];
const REST_SERVERS = [
  'account-auditor',
  'account-reaper',
  'account-replicator',
  'container-auditor',
  'container-replicator',
  'container-sync',
  'container-updater',
  'object-auditor',
  'object-expirer',
  'object-replicator',
  'object-updater',
];
const ALL_SERVERS = [...MAIN_SERVERS, ...REST_SERVERS];
/** Those with a conf file of their own name instead of `<type>-server.conf`. */
const STANDALONE = new Set(['object-expirer']);
const KILL_WAIT_MS = 15_000;
const START_WAIT_MS = 3000;
const POLL_MS = 100;

export const INIT_COMMANDS: Readonly<Record<string, string>> = {
  'force-reload': 'alias for reload',
  'no-daemon': 'start a server interactively',
  'no-wait': 'spawn server and return immediately',
  once: 'start server and run one pass on supporting daemons',
  reload: 'graceful shutdown then restart on supporting servers',
  restart: 'stops then restarts server',
  shutdown: 'allow current requests to finish on supporting servers',
  start: 'starts a server',
  status: 'display status of tracked pids for server',
  stop: 'stops a server',
};

export interface InitOptions {
  swiftDir: string;
  runDir: string;
  /** The program of a server, e.g. `swift-object-server`, as an argument list. */
  program(name: string): string[];
  env: Record<string, string>;
  once: boolean;
  wait: boolean;
  daemon: boolean;
  verbose: boolean;
  /** Servers that can are asked to finish what they are doing (SIGHUP). */
  graceful?: boolean;
  /** Only the Nth conf file; 0 for all. */
  number: number;
  clock: Clock;
  print(line: string): void;
}

/** Server names from the command line: groups, patterns, `object` for `object-server`. */
export function serverNames(words: readonly string[]): string[] {
  const names = words.flatMap(word => {
    if (word === 'all') return ALL_SERVERS;
    if (word === 'main') return MAIN_SERVERS;
    if (word === 'rest') return REST_SERVERS;
    if (word.includes('*')) {
      const pattern = new RegExp(`^${word.split('*').map(escapeRegex).join('.*')}`);
      return ALL_SERVERS.filter(name => pattern.test(name));
    }
    return [word.includes('-') ? word.toLowerCase() : `${word.toLowerCase()}-server`];
  });
  return [...new Set(names)];
}

const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Runs a command of swift-init for some servers; the exit status. */
export async function runInit(
  command: string,
  servers: readonly string[],
  options: InitOptions,
): Promise<number> {
  switch (command) {
    case 'status':
      return servers.reduce((sum, server) => sum + status(server, options), 0) ? 1 : 0;
    case 'start':
      return start(servers, options);
    case 'no-wait':
      return start(servers, { ...options, wait: false });
    case 'no-daemon':
      return start(servers, { ...options, daemon: false });
    case 'once':
      return start(servers, { ...options, once: true });
    case 'stop':
      return stop(servers, options);
    case 'shutdown':
      return stop(servers, { ...options, graceful: true });
    case 'reload':
    case 'force-reload': {
      let failed = 0;
      for (const server of servers) {
        failed += await stop([server], { ...options, graceful: true });
        failed += await start([server], options);
      }
      return failed ? 1 : 0;
    }
    default: {
      const stopped = await stop(servers, options);
      return (await start(servers, options)) || stopped ? 1 : 0;
    }
  }
}

const confName = (server: string): string =>
  STANDALONE.has(server) ? server : `${server.slice(0, server.lastIndexOf('-'))}-server`;

/** Conf files of a server: `<name>.conf`, or the `.conf` files in `<name>/`. */
function confFiles(server: string, options: InitOptions): string[] {
  const name = confName(server);
  const found = filesIn(options.swiftDir, name, '.conf');
  const wanted = options.number > 0 ? found.slice(options.number - 1, options.number) : found;
  if (wanted.length === 0) {
    options.print(
      `Unable to locate config ${options.number > 0 ? `number ${options.number} ` : ''}for ${server}`,
    );
  }
  return wanted;
}

/** Files below a directory whose first name begins so and that end so. */
function filesIn(root: string, start: string, ending: string): string[] {
  if (!existsSync(root)) return [];
  const found: string[] = [];
  for (const name of readdirSync(root).sort()) {
    if (!name.startsWith(start)) continue;
    const path = join(root, name);
    if (statSync(path).isDirectory()) {
      for (const inner of readdirSync(path).sort()) if (inner.endsWith(ending)) found.push(join(path, inner));
    } else if (name.endsWith(ending)) {
      found.push(path);
    }
  }
  return found;
}

const pidFileOf = (conf: string, server: string, { swiftDir, runDir }: InitOptions): string =>
  `${conf
    .replace(swiftDir, runDir)
    .replace(confName(server), server)
    .replace(/\.conf$/, '')}.pid`;

interface Tracked {
  pid: number;
  pidFile: string;
  conf: string;
}

/** The live processes of a server; stale pid files are removed. */
function tracked(server: string, options: InitOptions): Tracked[] {
  const { swiftDir, runDir } = options;
  const live: Tracked[] = [];
  const confs = options.number > 0 ? confFiles(server, options) : null;
  for (const pidFile of filesIn(runDir, server, '.pid')) {
    const conf = `${pidFile
      .replace(runDir, swiftDir)
      .replace(server, confName(server))
      .replace(/\.pid$/, '')}.conf`;
    if (confs && !confs.includes(conf)) continue;
    const pid = Number(readFileSync(pidFile, 'utf8').trim());
    if (isRunning(pid)) {
      live.push({ pid, pidFile, conf });
    } else {
      if (options.verbose) options.print(`Removing stale pid file ${pidFile}`);
      rmSync(pidFile, { force: true });
    }
  }
  return live;
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function status(server: string, options: InitOptions): number {
  const live = tracked(server, options);
  if (live.length === 0) {
    options.print(`No ${server} running`);
    return 1;
  }
  for (const { pid, conf } of live) options.print(`${server} running (${pid} - ${conf})`);
  return 0;
}

async function start(servers: readonly string[], options: InitOptions): Promise<number> {
  let failed = 0;
  const foreground: Promise<unknown>[] = [];
  for (const server of servers) {
    const confs = confFiles(server, options);
    const live = tracked(server, options).filter(item => confs.includes(item.conf) || options.number === 0);
    for (const { pid, conf } of live) options.print(`${server} running (${pid} - ${conf})`);
    if (live.length > 0) {
      options.print(`${server} already started...`);
      continue;
    }
    const once = options.once && REST_SERVERS.includes(server);
    for (const conf of confs) {
      options.print(`${once ? `Running ${server} once` : `Starting ${server}`}...(${conf})`);
      const pidFile = pidFileOf(conf, server, options);
      mkdirSync(dirname(pidFile), { recursive: true });
      const argv = [...options.program(`swift-${server}`), conf, ...(once ? ['--once'] : [])];
      const child = await startBackground(argv, {
        env: options.env,
        logFile: pidFile.replace(/\.pid$/, '.log'),
      });
      writeFileSync(pidFile, `${child.pid}\n`);
      if (!options.daemon || once)
        foreground.push(child.ended.then(({ code }) => (failed += code === 0 ? 0 : 1)));
      else if (options.wait) failed += await diedAtStart(child, options);
    }
  }
  await Promise.all(foreground);
  return failed ? 1 : 0;
}

/** Whether a program ends soon after its start, which is how wrong conf files show. */
async function diedAtStart(
  child: { running: boolean; ended: Promise<{ code: number | null }> },
  { clock, print }: InitOptions,
): Promise<number> {
  const ended = await Promise.race([child.ended, clock.sleep(START_WAIT_MS / 3).then(() => null)]);
  if (ended === null || ended.code === 0) return 0;
  print('ended at once: see its log');
  return 1;
}

async function stop(servers: readonly string[], options: InitOptions): Promise<number> {
  const { clock, print } = options;
  let waiting: (Tracked & { server: string })[] = [];
  for (const server of servers) {
    const live = tracked(server, options);
    if (live.length === 0) print(`No ${server} running`);
    for (const item of live) {
      const signal = options.graceful && MAIN_SERVERS.includes(server) ? 'SIGHUP' : 'SIGTERM';
      print(`Signal ${server}  pid: ${item.pid}  signal: ${signal === 'SIGHUP' ? 1 : 15}`);
      process.kill(item.pid, signal);
      waiting.push({ ...item, server });
    }
  }
  const deadline = clock.monotonic() + KILL_WAIT_MS;
  while (waiting.length > 0 && clock.monotonic() < deadline) {
    await clock.sleep(POLL_MS);
    waiting = waiting.filter(({ pid, pidFile, server }) => {
      if (isRunning(pid)) return true;
      print(`${server} (${pid}) appears to have stopped`);
      rmSync(pidFile, { force: true });
      return false;
    });
  }
  for (const { server } of waiting)
    print(`Waited ${KILL_WAIT_MS / 1000} seconds for ${server} to die; giving up`);
  return waiting.length > 0 ? 1 : 0;
}
