import { seededRandom, systemClock } from '@folsom/core';
import { audit, settled, tally } from './audit.ts';
import { ask, type populate, startClient, type Tenant } from './clients.ts';
import type { Cloud } from './cloud.ts';
import { FAULTS, heal } from './faults.ts';
import { emptyLedger, type Ledger } from './ledger.ts';

export interface Torture {
  seed: number;
  seconds: number;
  clients: number;
  /** Names of faults; default all. */
  faults?: readonly string[] | undefined;
  /** How long everything acknowledged may take to be finished afterwards. */
  patienceMs: number;
  report: (line: string) => void;
}

export interface Found {
  /** One sentence each; empty for a cloud that bears everything. */
  wrong: string[];
  operations: number;
  faults: number;
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
  const kinds = FAULTS.filter(
    ({ name, possible }) => (options.faults?.includes(name) ?? true) && (possible?.(cloud) ?? true),
  );
  const recoveries: number[] = [];
  const tell = (text: string) => report(clock() + text);
  let faults = 0;
  let before = 0;
  while (systemClock.monotonic() < end) {
    await systemClock.sleep(500 + random.int(3000));
    if (kinds.length === 0) continue;
    // Often two at once.
    const drawn = Array.from({ length: 1 + random.int(2) }, () => kinds[random.int(kinds.length)]!);
    const different = [...new Set(drawn)];
    faults += different.length;
    await Promise.all(
      different.map(({ name, run }) =>
        run(cloud, random, tell).catch(error => {
          ledger.wrong.push(`${name}: ${String(error)}`);
        }),
      ),
    );
    const ms = await recovered(cloud, ready, `probe-${seed}-${faults}`);
    if (ms === undefined) ledger.wrong.push(`no server can be booted after fault ${faults}`);
    else recoveries.push(ms);
    tell(`recovered in ${ms === undefined ? 'no time' : (ms / 1000).toFixed(1)} s`);
    for (const wrong of ledger.wrong.slice(before)) tell(`WRONG ${wrong}`);
    before = ledger.wrong.length;
  }
  await heal(cloud);
  await Promise.all(clients.map(client => client.stop()));
  tell('everything runs, clients rest');
  const found = await settled(() => audit(cloud, ledger, ready.tenants), options.patienceMs);
  const wrong = [...ledger.wrong, ...found, ...cloud.died.splice(0)];
  return { wrong, recoveries, faults, operations: summary(ledger, wrong, recoveries, faults, report) };
}

const PROBE_MS = 180_000;

/** Boots a server, waits until it is ACTIVE and deletes it. Undefined when it never is. */
async function recovered(cloud: Cloud, { tenants, image }: Ready, name: string): Promise<number | undefined> {
  const from = systemClock.monotonic();
  const tenant = tenants.at(-1) as Tenant;
  let id: string | undefined;
  for (let at = 0; systemClock.monotonic() - from < PROBE_MS; at++) {
    const url = `${cloud.compute[at % 2]}/v2/${tenant.id}/servers`;
    if (id === undefined) {
      const body = { server: { name, imageRef: image, flavorRef: '101' } };
      const answer = await ask(url, tenant.token, { method: 'POST', body, timeoutMs: 10_000 });
      if (answer.status === 413) await systemClock.sleep(500);
      id = answer.json?.server?.id;
    } else {
      const answer = await ask(`${url}/${id}`, tenant.token, { timeoutMs: 10_000 });
      const status = answer.json?.server?.status;
      if (status === 'ACTIVE' || status === 'ERROR') {
        await ask(`${url}/${id}`, tenant.token, { method: 'DELETE', timeoutMs: 10_000 });
        if (status === 'ACTIVE') return systemClock.monotonic() - from;
        id = undefined;
      }
    }
    await systemClock.sleep(50);
  }
  return undefined;
}

function summary(
  ledger: Ledger,
  wrong: readonly string[],
  recoveries: readonly number[],
  faults: number,
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
  report(`${operations} operations, ${faults} faults; recovery median ${at(0.5)} s, longest ${at(1)} s`);
  const { lost, stuck, leaked, other } = tally(wrong);
  report(`lost ${lost}, stuck ${stuck}, leaked ${leaked}, otherwise wrong ${other}`);
  for (const text of wrong) report(`  ${text}`);
  return operations;
}
