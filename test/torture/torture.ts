import { seededRandom, systemClock } from '@folsom/core';
import { audit, settled, tally } from './audit.ts';
import { type populate, startClient } from './clients.ts';
import type { Cloud } from './cloud.ts';
import { rounds } from './draw.ts';
import { heal, possibleFaults } from './faults.ts';
import { emptyLedger, type Ledger } from './ledger.ts';
import { recovered } from './probe.ts';

export interface Torture {
  seed: number;
  seconds: number;
  clients: number;
  /** Names of faults; default all. */
  faults?: readonly string[] | undefined;
  /** Names of those that are drawn first; what was drawn is taken out. Default: all of `faults`. */
  owed?: Set<string>;
  /** Whether it goes on beyond its time until nothing is owed; default true. */
  whole?: boolean;
  /** Always two faults at once, and one after the other: as many of them in less time. Default false. */
  dense?: boolean;
  /** How long everything acknowledged may take to be finished afterwards. */
  patienceMs: number;
  report: (line: string) => void;
}

export interface Found {
  /** One sentence each; empty for a cloud that bears everything. */
  wrong: string[];
  operations: number;
  /** How often by name. */
  faults: ReadonlyMap<string, number>;
  /** Milliseconds from the end of a fault to a server that was booted and is ACTIVE. */
  recoveries: number[];
}

/** A cloud as it has been made ready for clients. */
export type Ready = Awaited<ReturnType<typeof populate>>;

/** Clients do as they like and faults come as the seed says; then the audit. A cloud can be tortured more than once. */
export async function torture(cloud: Cloud, ready: Ready, options: Torture): Promise<Found> {
  const { seed, report } = options;
  const ledger = emptyLedger();
  const random = seededRandom(seed);
  const from = systemClock.monotonic();
  const end = from + options.seconds * 1000;
  const clock = () => `${((systemClock.monotonic() - from) / 1000).toFixed(1).padStart(6)} s `;
  report(`seed ${seed}: ${options.clients} clients for ${options.seconds} s`);
  const clients = Array.from({ length: options.clients }, (_, index) =>
    startClient(cloud, ledger, {
      seed,
      index,
      tenant: ready.tenants[index % (ready.tenants.length - 1)]!,
      image: ready.image,
    }),
  );
  const kinds = possibleFaults(cloud, options.faults);
  const owed = options.owed ?? new Set(kinds.map(({ name }) => name));
  const draws = rounds(kinds, random, owed, options.dense);
  const faults = new Map<string, number>();
  const recoveries: number[] = [];
  const tell = (text: string) => report(clock() + text);
  let before = 0;
  const unfinished = () => options.whole !== false && kinds.some(({ name }) => owed.has(name));
  for (let round = 1; systemClock.monotonic() < end || unfinished(); round++) {
    await systemClock.sleep(500 + random.int(options.dense ? 1000 : 3000));
    const drawn = draws.next().value ?? [];
    await Promise.all(
      drawn.map(async ({ name, run }) => {
        faults.set(name, (faults.get(name) ?? 0) + 1);
        owed.delete(name);
        await run(cloud, random, tell).catch(error => void ledger.wrong.push(`${name}: ${String(error)}`));
      }),
    );
    if (drawn.length > 0) {
      const found = await recovered(cloud, ready, `probe-${seed}-${round}`);
      if ('ms' in found) recoveries.push(found.ms);
      else ledger.wrong.push(`no server can be booted after round ${round}: ${found.why}`);
      tell('ms' in found ? `recovered in ${(found.ms / 1000).toFixed(1)} s` : 'does not recover');
    }
    for (const wrong of ledger.wrong.slice(before)) tell(`WRONG ${wrong}`);
    before = ledger.wrong.length;
  }
  await heal(cloud);
  await Promise.all(clients.map(client => client.stop()));
  tell('everything runs, clients rest');
  const found = await settled(() => audit(cloud, ledger, ready.tenants), options.patienceMs);
  const wrong = [...ledger.wrong, ...found, ...cloud.died.splice(0)];
  return { wrong, recoveries, faults, operations: summary(cloud, ledger, wrong, recoveries, faults, report) };
}

function summary(
  { noise }: Cloud,
  ledger: Ledger,
  wrong: readonly string[],
  recoveries: readonly number[],
  faults: ReadonlyMap<string, number>,
  report: Torture['report'],
): number {
  let operations = 0;
  report('operation            done  refused   failed   silent');
  for (const [kind, { done, refused, failed, silent }] of [...ledger.counts].sort()) {
    const numbers = [done, refused, failed, silent];
    operations += numbers.reduce((sum, n) => sum + n);
    report(kind.padEnd(16) + numbers.map(n => String(n).padStart(9)).join(''));
  }
  const sorted = recoveries.toSorted((a, b) => a - b);
  const at = (share: number) => ((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) / 1000).toFixed(1);
  const drawn = [...faults].sort().map(([name, times]) => `${name} ${times}`);
  report(
    `${operations} operations; faults: ${drawn.join(', ')}; recovery median ${at(0.5)} s, longest ${at(1)} s`,
  );
  if (faults.has('noise')) report(`messages late ${noise.late}, twice ${noise.twice}`);
  const { lost, stuck, leaked, other } = tally(wrong);
  report(`lost ${lost}, stuck ${stuck}, leaked ${leaked}, otherwise wrong ${other}`);
  for (const text of wrong) report(`  ${text}`);
  return operations;
}
