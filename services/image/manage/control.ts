import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { bool, int, options, str } from '@folsom/config';
import type { Clock } from '@folsom/core';

/** Options of glance-control beside those of the servers. */
export const controlOptions = options('DEFAULT', {
  pid_file: str(null, 'File to use as pid file; otherwise /var/run/glance/<server>.pid'),
  await_child: int(0, 'Seconds to wait for an early end of the server, to give its exit code'),
  capture_output: bool(false, 'Write what the server prints to a file beside the pid file'),
  respawn: bool(false, 'Start the server again when it ends by itself'),
});

const CONTROL_COMMANDS = ['start', 'stop', 'shutdown', 'restart', 'reload', 'force-reload'] as const;
const CONTROLLED_SERVERS = ['glance-api', 'glance-registry', 'glance-scrubber'] as const;

export interface StartedServer {
  pid: number;
  /** Exit code, when the server ends; null after a signal. */
  ended: Promise<number | null>;
}

export interface ControlSeam {
  clock: Clock;
  pidFile: string | null;
  awaitChildMs: number;
  captureOutput: boolean;
  respawn: boolean;
  /** Directory of pid files when none is named. */
  runDir: string;
  print(line: string): void;
  /** Starts a server that outlives this program. */
  launch(server: string, args: readonly string[], logFile: string | undefined): Promise<StartedServer>;
  isRunning(pid: number): boolean;
  /** Sends SIGTERM; false when there is no such process. */
  terminate(pid: number): boolean;
}

const STOP_WAIT_MS = 15_000;
const POLL_MS = 100;
/** A server that ends sooner than this after its start is not started again. */
const BOUNCE_MS = 1_000;
const SIGTERM_NUMBER = 15;

/** Runs `<server> <command> [conf]` and gives the exit code. */
export async function runControl(seam: ControlSeam, argv: readonly string[]): Promise<number> {
  const [word = '', verb = '', conf] = argv;
  const named = word.toLowerCase();
  const server = named.startsWith('glance-') ? named : `glance-${named}`;
  const servers = named === 'all' ? CONTROLLED_SERVERS : CONTROLLED_SERVERS.filter(name => name === server);
  if (servers.length === 0) {
    const known = CONTROLLED_SERVERS.map(name => name.slice('glance-'.length)).join(', ');
    throw new Error(
      `Unknown server '${server}' specified. Please specify all, or one of the servers: ${known}`,
    );
  }
  const command = verb.toLowerCase();
  if (seam.awaitChildMs > 0 && seam.respawn) {
    throw new Error('--await-child and --respawn are mutually exclusive');
  }
  const configuration = conf !== undefined && existsSync(conf) ? resolve(conf) : undefined;
  switch (command) {
    case 'start':
      return startAll(seam, servers, 'Start', configuration);
    case 'stop':
    case 'shutdown':
      for (const name of servers) await stopServer(seam, name);
      return 0;
    case 'restart':
    case 'reload':
    case 'force-reload':
      for (const name of servers) await stopServer(seam, name);
      return startAll(seam, servers, 'Restart', configuration);
    default:
      throw new Error(
        `Unknown command ${command} specified. Please specify a command in this list: ${CONTROL_COMMANDS.join(', ')}`,
      );
  }
}

const pidFileOf = (seam: ControlSeam, server: string): string =>
  seam.pidFile === null ? `${seam.runDir}/${server}.pid` : resolve(seam.pidFile);

/** The process a pid file names; undefined when there is no file or no number in it. */
function pidIn(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8').trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

async function startAll(
  seam: ControlSeam,
  servers: readonly string[],
  verb: string,
  configuration: string | undefined,
): Promise<number> {
  const codes = await Promise.all(servers.map(name => startServer(seam, name, verb, configuration)));
  return codes.find(code => code !== 0) ?? 0;
}

async function startServer(
  seam: ControlSeam,
  server: string,
  verb: string,
  configuration: string | undefined,
): Promise<number> {
  const file = pidFileOf(seam, server);
  const pid = pidIn(file);
  if (pid !== undefined && seam.isRunning(pid)) {
    seam.print(`${server} appears to already be running: ${file}`);
    return 0;
  }
  if (existsSync(file)) {
    seam.print(`Removing stale pid file ${file}`);
    rmSync(file);
  }
  mkdirSync(dirname(file), { recursive: true });
  const args = configuration === undefined ? [] : ['--config-file', configuration];
  for (let word = verb; ; word = 'Respawn') {
    seam.print(`${word}ing ${server}${configuration === undefined ? '' : ` with ${configuration}`}`);
    const log = seam.captureOutput ? resolve(dirname(file), `${basename(file, '.pid')}.log`) : undefined;
    const since = seam.clock.monotonic();
    const started = await seam.launch(server, args, log);
    writeFileSync(file, `${started.pid}\n`);
    if (!seam.respawn) return endedWithin(seam, started);
    await started.ended;
    const stopped = !existsSync(file);
    if (stopped || seam.clock.monotonic() - since < BOUNCE_MS) {
      const reason = stopped ? 'deliberately stopped' : 'bouncing';
      seam.print(`Suppressed respawn as ${server} was ${reason}.`);
      return stopped ? 0 : 1;
    }
  }
}

/** The exit code of a server that ends while it is being waited for, 0 when it goes on. */
async function endedWithin(seam: ControlSeam, started: StartedServer): Promise<number> {
  if (seam.awaitChildMs <= 0) return 0;
  const enough = new AbortController();
  const pause = seam.clock.sleep(seam.awaitChildMs, enough.signal).catch(() => {});
  const code = await Promise.race([started.ended.then(ended => ended ?? 1), pause.then(() => 0)]);
  enough.abort();
  return code;
}

async function stopServer(seam: ControlSeam, server: string): Promise<void> {
  const file = pidFileOf(seam, server);
  const pid = pidIn(file);
  if (pid === undefined) {
    seam.print(`No ${server} running`);
    return;
  }
  // First: a server under --respawn must not come back.
  rmSync(file, { force: true });
  seam.print(`Stopping ${server}  pid: ${pid}  signal: ${SIGTERM_NUMBER}`);
  if (!seam.terminate(pid)) {
    seam.print(`Process ${pid} not running`);
    return;
  }
  for (let waited = 0; waited < STOP_WAIT_MS; waited += POLL_MS) {
    if (!seam.isRunning(pid)) return;
    await seam.clock.sleep(POLL_MS);
  }
  seam.print(`Waited 15 seconds for pid ${pid} (${file}) to die; giving up`);
}
