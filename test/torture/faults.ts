import { type Random, systemClock } from '@folsom/core';
import { type Cloud, type DiskOwner, FRONT, PROCESSES } from './cloud.ts';
import { DAEMONS, HOSTS } from './settings.ts';

/** Something that is done to a cloud and taken back. Resolves when it is over, with what it was. */
export interface FaultKind {
  name: string;
  /** What it takes away and gives back, where two kinds do so with the same; default: its own. */
  thing: string;
  /** Undefined: it can be done on every machine. */
  possible?(cloud: Cloud): boolean;
  run(cloud: Cloud, random: Random, tell: (text: string) => void): Promise<void>;
}

const pause = (random: Random, least: number, most: number) =>
  systemClock.sleep(least + random.int(most - least));
const one = <T>(random: Random, of: readonly T[]): T => of[random.int(of.length)]!;

const named = (name: string) => ({ name, thing: name });

const kill: FaultKind = {
  name: 'kill',
  // What starts again needs room on its disk.
  thing: 'start',
  run: async (cloud, random, tell) => {
    const name = one(random, PROCESSES);
    tell(`kill -9 ${name}`);
    await cloud.kill(name);
    await pause(random, 50, 4000);
    await cloud.start(name);
  },
};

const freeze: FaultKind = {
  ...named('freeze'),
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
  ...named(what),
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
  ...named('cut'),
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
  ...named('clock'),
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
  ...named('noise'),
  run: async (cloud, random, tell) => {
    tell('messages come late, twice and to a twin');
    for (const name of DAEMONS) cloud.tell(name, { noise: true });
    await pause(random, 3000, 12_000);
    for (const name of DAEMONS) cloud.tell(name, { noise: false });
  },
};

const partition: FaultKind = {
  ...named('partition'),
  possible: cloud => cloud.links !== undefined,
  run: async ({ links }, random, tell) => {
    const cut =
      random.int(2) === 0 ? [random.int(HOSTS.length)] : [...HOSTS.keys()].filter(() => random.int(2) === 0);
    tell(`no network at all at ${cut.map(at => HOSTS[at]).join(', ')}`);
    for (const host of cut) await links!.hosts[host]!.cut();
    await pause(random, 1000, 12_000);
    for (const host of cut) await links!.hosts[host]!.mend();
  },
};

/** A disk without a byte left, of one of these. */
const full = (name: string, owners: readonly DiskOwner[], thing = name): FaultKind => ({
  name,
  thing,
  possible: ({ disks }) => owners.every(owner => disks[owner] !== undefined),
  run: async ({ disks }, random, tell) => {
    const owner = one(random, owners);
    tell(`the disk of ${owner} is full`);
    await disks[owner]!.fill();
    await pause(random, 1000, 8000);
    await disks[owner]!.empty();
  },
});

export const FAULTS: readonly FaultKind[] = [
  kill,
  freeze,
  away('database'),
  away('broker'),
  cut,
  partition,
  clock,
  noise,
  full('full', [FRONT], 'start'),
  // A database does not start without room, which is nobody's fault here.
  full('full-database', ['database'], 'database'),
  full('full-hosts', HOSTS),
];

/** Those that can be done on this machine, of the names given; default all. */
export const possibleFaults = (cloud: Cloud, names?: readonly string[]): FaultKind[] =>
  FAULTS.filter(({ name, possible }) => (names?.includes(name) ?? true) && (possible?.(cloud) ?? true));

/** Whatever was going on: everything runs, nothing is cut, full, late or wrong. */
export async function heal(cloud: Cloud): Promise<void> {
  for (const disk of Object.values(cloud.disks)) await disk.empty();
  for (const host of cloud.links?.hosts ?? []) await host.mend();
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
