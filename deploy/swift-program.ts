import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  createLogger,
  type Logger,
  must,
  type RunningService,
  systemClock,
  systemRandom,
  type World,
} from '@folsom/core';
import {
  type ConfSection,
  hashPathSuffix,
  type MeteredWorld,
  NO_STATS,
  type PathHash,
  pathHash,
  readConf,
  type SwiftConf,
  statsFrom,
  syslogFrom,
} from '@folsom/swift';
import { standardError } from './log-file.ts';
import { runUntilSignal } from './run.ts';
import { becomeUser } from './swift-user.ts';

/** The command line of swift's servers and daemons: a conf file, and flags. */
export interface SwiftArgs {
  conf: SwiftConf;
  /** One pass, then the end. */
  once: boolean;
  verbose: boolean;
  /** `-z`: only audit lengths, so many a second. */
  zeroByteFps: number;
}

/**
 * Reads the command line as swift's programs do; a number is the exit status to end with.
 * @param daemon whether `--once` is known
 */
export function swiftArgs(program: string, argv: readonly string[], daemon: boolean): SwiftArgs | number {
  const usage = `Usage: ${program} CONFIG [options]\n`;
  let path: string | null = null;
  const found = { once: false, verbose: false, zeroByteFps: 0 };
  for (let i = 0; i < argv.length; i++) {
    const word = must(argv[i], 'i is in argv');
    const [flag, inline] = word.startsWith('--') ? word.split('=', 2) : [word];
    if (flag === '-h' || flag === '--help') {
      process.stdout.write(
        `${usage}\nOptions:\n  -h, --help            show this help message and exit\n  -v, --verbose         log to console\n` +
          (daemon ? '  -o, --once            only run one pass of daemon\n' : '') +
          (program === 'swift-object-auditor'
            ? '  -z ZERO_BYTE_FPS, --zero_byte_fps=ZERO_BYTE_FPS\n                        Audit only zero byte files at specified files/sec\n'
            : ''),
      );
      return 0;
    }
    if (flag === '-v' || flag === '--verbose') found.verbose = true;
    else if (daemon && (flag === '-o' || flag === '--once')) found.once = true;
    else if (daemon && (flag === '-z' || flag === '--zero_byte_fps')) {
      found.zeroByteFps = Number(inline ?? argv[++i]);
      if (!(found.zeroByteFps > 0)) return refuse(usage, 'option -z: needs a number of files per second');
    } else if (word.startsWith('-')) return refuse(usage, `no such option: ${flag}`);
    // extra words are ignored, as the original's are: `once` after the conf file means --once
    else if (path === null) path = word;
    else if (daemon && word === 'once') found.once = true;
  }
  if (path === null) return refuse(usage, 'missing config file argument');
  const file = resolve(path);
  if (!existsSync(file)) return refuse(usage, `unable to locate ${file}`);
  return { conf: readConf(file), ...found };
}

function refuse(usage: string, why: string): number {
  process.stdout.write(`${usage}\nError: ${why}\n`);
  return 1;
}

/** What swift's programs share: logger, clock, statsd, hash suffix, directories. */
export interface SwiftWorld extends MeteredWorld {
  swiftDir: string;
  pathHash: PathHash;
}

/** `swift_dir` of the section holds swift.conf and the rings. */
export function swiftWorld(section: ConfSection, verbose = false): SwiftWorld {
  const swiftDir = section.str('swift_dir', '/etc/swift');
  const name = section.str('log_name', section.name.replace(/^app:/, ''));
  const world: World = {
    clock: systemClock,
    random: systemRandom,
    log: sectionLogger(section, name, verbose),
  };
  const stats = statsFrom(section, name, world);
  return {
    ...world,
    ...(stats === NO_STATS ? {} : { stats }),
    swiftDir,
    pathHash: pathHash(hashPathSuffix(readConf(`${swiftDir}/swift.conf`))),
  };
}

/** The log goes to syslog where one listens, as the original's does; else, or with `--verbose`, to standard error. */
function sectionLogger(section: ConfSection, name: string, verbose: boolean): Logger {
  const { write } = standardError();
  const syslog = syslogFrom(section, name, line => verbose || write(line));
  const level = section.str('log_level', 'INFO').toLowerCase();
  return createLogger({
    level: level === 'debug' || level === 'error' ? level : level.startsWith('warn') ? 'warn' : 'info',
    write: line => {
      const taken = syslog?.write(line) ?? false;
      if (!taken || verbose) write(line);
    },
  });
}

/** `swift-init` asks for a graceful end with SIGHUP; ours always end so. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Files that are synced and read side by side in one process. */
const IO_THREADS = 32;

/** Worker processes of a server, at least one. */
export const workersOf = (section: ConfSection): number => Math.max(1, section.int('workers', 1));

/**
 * Runs a server with as many worker processes as its `workers` option says (at least one), which share its port.
 * A worker that dies is replaced.
 */
export async function runSwiftServer(
  section: ConfSection,
  verbose: boolean,
  start: (world: SwiftWorld) => Promise<RunningService>,
): Promise<number> {
  if (cluster.isWorker) {
    const world = swiftWorld(section, verbose);
    const service = await start(world);
    await becomeUser(section);
    return runUntilSignal(service, world.log, STOP_SIGNALS);
  }
  const world = swiftWorld(section, verbose);
  const workers = workersOf(section);
  // Each worker accepts for itself: handing sockets over costs more than it evens out.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let stopping = false;
  let quickDeaths = 0;
  const fork = () => {
    const started = world.clock.monotonic();
    const worker = cluster.fork({ UV_THREADPOOL_SIZE: String(IO_THREADS) });
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      quickDeaths = world.clock.monotonic() - started < 1000 ? quickDeaths + 1 : 0;
      world.log.error('worker ended', { code, signal });
      if (quickDeaths >= workers) return process.exit(1);
      fork();
    });
  };
  for (let i = 0; i < workers; i++) fork();
  return runUntilSignal(
    {
      name: section.name,
      stop: async () => {
        stopping = true;
        const ends = Object.values(cluster.workers ?? {}).map(
          worker =>
            new Promise<void>(done => {
              if (!worker || worker.isDead()) return done();
              worker.once('exit', () => done());
              worker.process.kill('SIGTERM');
            }),
        );
        await Promise.all(ends);
      },
    },
    world.log,
    STOP_SIGNALS,
  );
}

/** Runs a daemon: one pass with `--once`, else until a signal. */
export async function runSwiftDaemon(
  args: SwiftArgs,
  section: ConfSection,
  run: {
    once(world: SwiftWorld): Promise<unknown>;
    forever(world: SwiftWorld): RunningService;
  },
): Promise<number> {
  if (!args.conf.hasSection(section.name)) {
    process.stdout.write(`Unable to find ${section.name} config section in ${args.conf.path}\n`);
    return 1;
  }
  await becomeUser(section);
  const world = swiftWorld(section, args.verbose);
  if (args.once) {
    await run.once(world);
    return 0;
  }
  const daemon = run.forever(world);
  world.log.info('ready', { service: section.name });
  return runUntilSignal(daemon, world.log);
}
