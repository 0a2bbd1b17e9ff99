import { existsSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { must } from '@folsom/core';
import { CONTROLLER, type ProcessName } from './plan.ts';
import { CLOCK_FILE, freeze, kill, type Lab, planned, spaceOf, start, stop } from './processes.ts';
import { inside, runOn, SWITCH } from './spaces.ts';
import { plug } from './wiring.ts';

/** Where and to what a fault is done. */
export interface Aim {
  host: string;
  process: ProcessName;
  /** How far a clock steps. */
  seconds: number;
}

/** Something that is done to a lab, and how it is taken back. */
export interface FaultKind {
  about: string;
  /** What it wants to be told; the rest has a default. */
  wants: readonly ('host' | 'process' | 'seconds')[];
  aim(lab: Lab): Partial<Aim>;
  begin(lab: Lab, aim: Aim): Promise<unknown>;
  end(lab: Lab, aim: Aim): Promise<unknown>;
}

const FILLER = '/run/lab/disk/filler';
/** Less than this is not worth a program. */
const LEAST_TAKEN = 1024 ** 2;
const PIECE = Buffer.alloc(64 * 1024);

const begins = (lab: Lab, { host, process }: Aim) => start(lab, host, process);
const nothing = () => ({});
const lastBroker = (lab: Lab): Partial<Aim> => ({
  host: must(
    lab.plan.plan.findLast(({ servers }) => servers.includes('rabbitmq')),
    'there is a broker',
  ).name,
  process: 'rabbitmq',
});

export const FAULTS = {
  kill: {
    about: 'a process ends as by a power cut (SIGKILL)',
    wants: ['host', 'process'],
    aim: nothing,
    begin: (lab, { host, process }) => kill(lab, host, process),
    end: begins,
  },
  stop: {
    about: 'a process ends in order (SIGTERM)',
    wants: ['host', 'process'],
    aim: nothing,
    begin: (lab, { host, process }) => stop(lab, host, process),
    end: begins,
  },
  freeze: {
    about: 'a process stands still (SIGSTOP)',
    wants: ['host', 'process'],
    aim: nothing,
    begin: async (lab, { host, process }) => freeze(lab, host, process, 'SIGSTOP'),
    end: async (lab, { host, process }) => freeze(lab, host, process, 'SIGCONT'),
  },
  cut: {
    about: 'nothing reaches a host, and nothing leaves it',
    wants: ['host'],
    aim: nothing,
    begin: (lab, { host }) => plug(spaceOf(lab, SWITCH), host, 'down'),
    end: (lab, { host }) => plug(spaceOf(lab, SWITCH), host, 'up'),
  },
  disk: {
    about: 'the disk of a host is full',
    wants: ['host'],
    aim: nothing,
    begin: fill,
    end: async (lab, { host }) => rmSync(inside(spaceOf(lab, host), FILLER), { force: true }),
  },
  clock: {
    about: 'the clock of our programs on a host steps',
    wants: ['host', 'seconds'],
    aim: nothing,
    begin: async (lab, { host, seconds }) =>
      writeFileSync(inside(spaceOf(lab, host), CLOCK_FILE), `${seconds * 1000}`),
    end: async (lab, { host }) => rmSync(inside(spaceOf(lab, host), CLOCK_FILE), { force: true }),
  },
  broker: {
    about: 'a node of RabbitMQ ends as by a power cut: the last one, or that of the host',
    wants: [],
    aim: lastBroker,
    begin: (lab, { host, process }) => kill(lab, host, process),
    end: begins,
  },
  database: {
    about: 'the database ends as by a power cut',
    wants: [],
    aim: () => ({ host: CONTROLLER, process: 'mariadb' }),
    begin: (lab, { host, process }) => kill(lab, host, process),
    end: begins,
  },
  cache: {
    about: 'Redis ends as by a power cut',
    wants: [],
    aim: () => ({ host: CONTROLLER, process: 'redis' }),
    begin: (lab, { host, process }) => kill(lab, host, process),
    end: begins,
  },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** Whether a host's state lies on a disk of its own. */
const hasDisk = (lab: Lab, host: string): boolean => {
  const device = (path: string) => statSync(inside(spaceOf(lab, host), path)).dev;
  return device('/run/lab') !== device('/run/lab/disk');
};

async function fill(lab: Lab, { host }: Aim): Promise<void> {
  if (!hasDisk(lab, host)) throw new Error(`${host} has no disk of its own that could be full`);
  const space = spaceOf(lab, host);
  const { bavail, bsize } = statfsSync(inside(space, '/run/lab/disk'));
  let taken = 0;
  for (let size = bavail * bsize; size >= LEAST_TAKEN; ) {
    const place = ['--offset', `${taken}`, '--length', `${Math.floor(size)}`];
    const { code } = await runOn(space, ['fallocate', ...place, FILLER], { allowedCodes: 'any' });
    if (code === 0) taken += Math.floor(size);
    else size /= 2;
  }
  // What rounding has left.
  for (let size = PIECE.length; size >= 4096; ) {
    try {
      writeFileSync(inside(space, FILLER), PIECE.subarray(0, size), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      size /= 2;
    }
  }
}

/** Takes everything back: what should run does, nothing is cut, full, stopped or late. Answers what it had to do. */
export async function heal(lab: Lab): Promise<void> {
  for (const { name: host } of lab.plan.plan) {
    await FAULTS.cut.end(lab, { host, process: 'redis', seconds: 0 });
    for (const path of [FILLER, CLOCK_FILE]) {
      const file = inside(spaceOf(lab, host), path);
      if (existsSync(file)) rmSync(file);
    }
  }
  const wanted = planned(lab);
  for (const { host, name } of wanted) freeze(lab, host, name, 'SIGCONT');
  const servers = wanted.filter(({ name }) => name === 'mariadb' || name === 'rabbitmq' || name === 'redis');
  for (const group of [servers, wanted])
    await Promise.all(group.map(({ host, name }) => start(lab, host, name)));
}
