import { accessSync, constants } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { needs } from '@folsom/core/testing';
import type { BackgroundProcess } from '@folsom/host/background';

/** A server of a test's own. All of its files lie under the system's temporary directory. */
export interface ThrowAwayServer {
  host: string;
  port: number;
  /** Ends the server as an operator would, starts it again on the same files and port. */
  restart(): Promise<void>;
  /** Ends the server as a power cut would; `start` brings it back. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its files. Safe to call twice. */
  stop(): Promise<void>;
}

const PROGRAMS = {
  mariadb: '/usr/sbin/mariadbd',
  rabbit: '/usr/lib/rabbitmq/bin/rabbitmq-server',
  redis: '/usr/bin/redis-server',
  memcached: '/usr/bin/memcached',
  prometheus: '/usr/bin/prometheus',
  slapd: '/usr/sbin/slapd',
} as const;

export type ServerKind = keyof typeof PROGRAMS;

const warned = new Set<string>();

/**
 * Why tests that need a server cannot run here, or `false`: for `describe.skipIf(serverMissing('rabbit'))`. The reason
 * is printed. Under CI=true nothing is skipped: the test then fails at its start.
 */
export function serverMissing(kind: ServerKind): string | false {
  if (needs(nameOf(kind), exists(programOf(kind)) || process.env.CI === 'true')) return false;
  const reason = `skipped: ${nameOf(kind)} not installed`;
  if (!warned.has(kind)) console.warn(reason);
  warned.add(kind);
  return reason;
}

/** The program's path; throws a plain sentence where it is not installed. */
export function requireProgram(kind: ServerKind): string {
  const path = programOf(kind);
  if (!exists(path)) throw new Error(`${path} is not installed`);
  return path;
}

const programOf = (kind: ServerKind): string => PROGRAMS[kind];
const nameOf = (kind: ServerKind): string => programOf(kind).split('/').at(-1) ?? kind;

function exists(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Waits until `probe` succeeds; fails early when the program ends, with the tail of its log. */
export async function untilUp(
  program: BackgroundProcess,
  probe: () => Promise<void>,
  options: { timeoutMs: number; log: () => string },
): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (!program.running || performance.now() > deadline) {
        const why = program.running
          ? `not up after ${options.timeoutMs} ms (${error})`
          : 'ended at its start';
        throw new Error(`throw-away server ${why}:\n${options.log().slice(-3000)}`);
      }
    }
    await pause(50);
  }
}

/** Resolves when something accepts connections on a local port. */
export function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.setTimeout(1000, () => socket.destroy(new Error('timeout')));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
