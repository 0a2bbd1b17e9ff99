import { type Random, systemClock } from '@folsom/core';
import { type Cloud, FRONT, PROCESSES } from './cloud.ts';
import { DAEMONS } from './settings.ts';

/** Something that is done to a cloud and taken back. Resolves when it is over, with what it was. */
export interface FaultKind {
  name: string;
  /** Undefined: it cannot be done on this machine. */
  possible?(cloud: Cloud): boolean;
  run(cloud: Cloud, random: Random, tell: (text: string) => void): Promise<void>;
}

const pause = (random: Random, least: number, most: number) =>
  systemClock.sleep(least + random.int(most - least));
const one = <T>(random: Random, of: readonly T[]): T => of[random.int(of.length)]!;

const kill: FaultKind = {
  name: 'kill',
  run: async (cloud, random, tell) => {
    const name = one(random, PROCESSES);
    tell(`kill -9 ${name}`);
    await cloud.kill(name);
    await pause(random, 50, 4000);
    await cloud.start(name);
  },
};

const freeze: FaultKind = {
  name: 'freeze',
  run: async (cloud, random, tell) => {
    const name = one(random, PROCESSES);
    tell(`SIGSTOP ${name}`);
    cloud.signal(name, 'SIGSTOP');
    await pause(random, 1000, 12_000);
    cloud.signal(name, 'SIGCONT');
  },
};

/** What may happen to a server that is not ours. */
const away = (what: 'database' | 'broker'): FaultKind => ({
  name: what,
  run: async (cloud, random, tell) => {
    const server = cloud[what];
    if (random.int(3) === 0) {
      tell(`restart of the ${what}`);
      await server.restart();
      return;
    }
    tell(`kill -9 of the ${what}`);
    await server.kill();
    await pause(random, 50, 5000);
    await server.start();
  },
});

const cut: FaultKind = {
  name: 'cut',
  run: async (cloud, random, tell) => {
    const names = random.int(2) === 0 ? [one(random, DAEMONS)] : DAEMONS.filter(() => random.int(2) === 0);
    const which = one(random, ['database', 'broker', 'both'] as const);
    tell(`no network between ${names.join(', ')} and ${which}`);
    const lines = names.flatMap(name =>
      (['database', 'broker'] as const)
        .filter(one => which === 'both' || one === which)
        .map(one => cloud.lines[name][one]),
    );
    for (const line of lines) line.cut();
    await pause(random, 1000, 12_000);
    for (const line of lines) line.mend();
  },
};

const STEPS_MS = [-120_000, -15_000, -2_000, 2_000, 15_000, 120_000];
const clock: FaultKind = {
  name: 'clock',
  run: async (cloud, random, tell) => {
    const name = one(random, DAEMONS);
    const clockMs = one(random, STEPS_MS);
    tell(`the clock of ${name} steps by ${clockMs / 1000} s`);
    cloud.tell(name, { clockMs });
    await pause(random, 3000, 12_000);
    cloud.tell(name, { clockMs: 0 });
  },
};

const noise: FaultKind = {
  name: 'noise',
  run: async (cloud, random, tell) => {
    tell('messages come late, twice and to a twin');
    for (const name of DAEMONS) cloud.tell(name, { noise: true });
    await pause(random, 3000, 12_000);
    for (const name of DAEMONS) cloud.tell(name, { noise: false });
  },
};

const full: FaultKind = {
  name: 'full',
  possible: cloud => cloud.disk !== undefined,
  run: async (cloud, random, tell) => {
    tell(`the disk of ${FRONT} is full`);
    await cloud.disk!.fill();
    await pause(random, 1000, 8000);
    await cloud.disk!.empty();
  },
};

export const FAULTS: readonly FaultKind[] = [
  kill,
  freeze,
  away('database'),
  away('broker'),
  cut,
  clock,
  noise,
  full,
];

/** Whatever was going on: everything runs, nothing is cut, full, late or wrong. */
export async function heal(cloud: Cloud): Promise<void> {
  await cloud.disk?.empty();
  await Promise.all([cloud.database.start(), cloud.broker.start()]);
  for (const name of DAEMONS) {
    for (const line of Object.values(cloud.lines[name])) line.mend();
    cloud.signal(name, 'SIGCONT');
    cloud.tell(name, { clockMs: 0 });
    cloud.tell(name, { noise: false });
  }
  cloud.signal(FRONT, 'SIGCONT');
  await Promise.all(PROCESSES.map(name => cloud.start(name)));
}
