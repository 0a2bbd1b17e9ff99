import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningService } from '@folsom/core';
import { openRing, type Ring } from '@folsom/ring';
import {
  ConfError,
  type ConfSection,
  healthcheckFilter,
  type Pass,
  reconFilter,
  reconOptions,
  type ServerFilter,
  type SwiftConf,
  startDaemon,
} from '@folsom/swift';
import type { ListenOptions } from '@folsom/swift-http';
import { runSwiftDaemon, runSwiftServer, type SwiftWorld, swiftArgs } from './swift-program.ts';

/** A ring of `swift_dir`. */
export const ringIn = (world: SwiftWorld, kind: 'account' | 'container' | 'object'): Ring =>
  openRing({ path: join(world.swiftDir, `${kind}.ring.gz`), clock: world.clock });

/** The section of the application at the end of `[pipeline:main]`. */
export function applicationOf(conf: SwiftConf): ConfSection {
  const app = conf.pipeline.at(-1);
  if (app === undefined) throw new ConfError(`${conf.path}: [pipeline:main] has no pipeline`);
  return conf.section(`app:${app}`);
}

/** The filters of a storage server's pipeline, by what they use. */
export const filtersOf = (conf: SwiftConf): ServerFilter[] =>
  conf.pipeline.slice(0, -1).map(name => {
    const section = conf.section(`filter:${name}`);
    const use = section.str('use', '');
    if (use === 'egg:swift#healthcheck') return healthcheckFilter;
    if (use === 'egg:swift#recon') return reconFilter(reconOptions(section));
    throw new ConfError(`${conf.path}: [filter:${name}] uses unknown middleware ${use}`);
  });

/** Where a server listens, and how. */
export interface SwiftListen extends ListenOptions {
  host: string;
  port: number;
}

/** A server program: reads its conf file and serves until a signal. */
export async function swiftServer(
  program: string,
  argv: readonly string[],
  defaultPort: number,
  start: (
    parts: { conf: SwiftConf; app: ConfSection; world: SwiftWorld },
    listen: SwiftListen,
  ) => Promise<RunningService>,
): Promise<number> {
  const args = swiftArgs(program, argv, false);
  if (typeof args === 'number') return args;
  const { conf } = args;
  const app = applicationOf(conf);
  const listen = listenOf(app, defaultPort);
  return runSwiftServer(app, args.verbose, world => start({ conf, app, world }, listen));
}

export interface MadeDaemon {
  pass: Pass;
  /** What the last pass counted, by the original's names for statsd. */
  metrics?: () => Record<string, number>;
  intervalMs: number;
  close?: () => Promise<void> | void;
}

/** Where and how the section of an application says to listen. */
export const listenOf = (app: ConfSection, defaultPort: number): SwiftListen => ({
  host: app.str('bind_ip', '0.0.0.0'),
  port: app.int('bind_port', defaultPort),
  backlog: app.int('backlog', 4096),
  tls: tlsOf(app),
});

/** `cert_file` and `key_file`; null without them. */
function tlsOf(app: ConfSection): ListenOptions['tls'] {
  const cert = app.str('cert_file', '');
  const key = app.str('key_file', '');
  if (cert === '' && key === '') return null;
  if (cert === '' || key === '') throw new ConfError('cert_file and key_file go together');
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** A daemon program of passes: one with `--once`, else one each interval until a signal. */
export async function swiftDaemon(
  program: string,
  argv: readonly string[],
  section: string,
  make: (world: SwiftWorld, conf: ConfSection) => MadeDaemon,
): Promise<number> {
  const args = swiftArgs(program, argv, true);
  if (typeof args === 'number') return args;
  const values = args.conf.section(section);
  return runSwiftDaemon(args, values, {
    once: async world => {
      const { pass, close } = metered(make(world, values), world);
      const abort = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => abort.abort(new Error(signal)));
      try {
        await pass.run(abort.signal);
      } finally {
        await close?.();
      }
    },
    forever: world => {
      const { pass, intervalMs, close } = metered(make(world, values), world);
      const daemon = startDaemon(pass, { intervalMs, from: 'start', spread: true }, world);
      return {
        ...daemon,
        stop: async () => {
          await daemon.stop();
          await close?.();
        },
      };
    },
  });
}

/** A daemon whose passes report what they counted, and how long they took. */
function metered(made: MadeDaemon, world: SwiftWorld): MadeDaemon {
  const { pass, metrics } = made;
  if (!metrics || !world.stats) return made;
  const { stats, clock } = world;
  return {
    ...made,
    pass: {
      ...pass,
      run: async signal => {
        const began = clock.monotonic();
        await pass.run(signal);
        for (const [name, count] of Object.entries(metrics())) stats.count(name, count);
        stats.timing('timing', clock.monotonic() - began);
      },
    },
  };
}
