import { systemClock } from '@folsom/core';
import { type Aim, FAULTS, type FaultKind } from './faults.ts';
import { type Load, startLoad } from './load.ts';
import { CONTROLLER } from './plan.ts';
import { type Lab, planned, start, stop } from './processes.ts';

/** What users notice of faults and of an upgrade, measured: lines of a table. */

export interface Campaign {
  clients: number;
  seed: number;
  /** How long each fault stands, in seconds. */
  seconds: number;
  tell(line: string): void;
}

/** Something that is done while clients work. */
interface Act {
  name: string;
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
}

/** Quiet before and after, in which clients only work. */
const QUIET_MS = 3000;

const columns = (name: string, ...rest: (string | number)[]) =>
  name.padEnd(26) + rest.map(text => String(text).padStart(11)).join('');
const HEAD = columns('', 'recovery s', 'requests', 'errors', 'lost', 'stuck', 'booted', 'stored');

/**
 * Each fault alone, with clients before, in and after it. Answers whether nothing was lost or stuck. Recovery counts from
 * when the fault is over: a killed process has been started and takes work. Its own start is not in the figure.
 */
export async function measureFaults(
  lab: Lab,
  names: readonly string[],
  campaign: Campaign,
): Promise<boolean> {
  const acts = faultsOf(lab).filter(({ name }) => names.length === 0 || names.includes(name));
  if (acts.length === 0)
    throw new Error(
      `faults are ${faultsOf(lab)
        .map(({ name }) => name)
        .join(', ')}`,
    );
  campaign.tell(`${campaign.clients} clients, each fault for ${campaign.seconds} s`);
  campaign.tell(HEAD);
  let whole = true;
  for (const act of acts) whole = (await measured(lab, act, campaign)) && whole;
  return whole;
}

async function measured(lab: Lab, act: Act, campaign: Campaign): Promise<boolean> {
  const load = await startLoad(lab, campaign.clients, campaign.seed);
  await systemClock.sleep(QUIET_MS);
  await act.begin();
  await systemClock.sleep(campaign.seconds * 1000);
  await act.end();
  const recoveryMs = await load.probe();
  await systemClock.sleep(QUIET_MS);
  return told(load, act.name, recoveryMs, campaign);
}

async function told(load: Load, name: string, recoveryMs: number, { tell }: Campaign): Promise<boolean> {
  const { lost, stuck, booted, stored } = await load.finish();
  const seconds = (recoveryMs / 1000).toFixed(1);
  const { length: errors } = load.errors;
  tell(columns(name, seconds, load.requests(), errors, lost.length, stuck.length, booted, stored));
  const kinds = new Map<string, number>();
  for (const { what, status } of load.errors) {
    const kind = `${what}: ${status === 0 ? 'no answer' : status}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  for (const [kind, times] of kinds) tell(`    ${kind} (${times})`);
  for (const text of [...lost.map(one => `lost: ${one}`), ...stuck.map(one => `stuck: ${one}`)])
    tell(`    ${text}`);
  return lost.length === 0 && stuck.length === 0;
}

/** The faults that are measured, with names of their own. */
function faultsOf(lab: Lab): Act[] {
  const of = (name: string, kind: FaultKind, aim: Partial<Aim>): Act => {
    const full: Aim = { host: CONTROLLER, process: 'nova-api', seconds: 120, ...kind.aim(lab), ...aim };
    return { name, begin: () => kind.begin(lab, full), end: () => kind.end(lab, full) };
  };
  const where = (process: string) => planned(lab).find(({ name }) => name === process)?.host ?? CONTROLLER;
  const compute = { host: where('nova-compute'), process: 'nova-compute' } as const;
  return [
    { name: 'none', begin: async () => {}, end: async () => {} },
    of('database', FAULTS.database, {}),
    of('broker', FAULTS.broker, {}),
    of('cache', FAULTS.cache, {}),
    of('keystone', FAULTS.kill, { process: 'keystone-all' }),
    of('glance', FAULTS.kill, { process: 'glance-api' }),
    of('scheduler', FAULTS.kill, { process: 'nova-scheduler' }),
    of('network', FAULTS.kill, { host: where('nova-network'), process: 'nova-network' }),
    of('compute', FAULTS.kill, compute),
    of('frozen compute', FAULTS.freeze, compute),
    of('cut', FAULTS.cut, { host: compute.host }),
    of('clock', FAULTS.clock, { host: compute.host }),
  ];
}

/**
 * Every service ends and starts again, one process at a time, while clients work: as an upgrade does it that changes the
 * program in between. Answers whether nobody noticed.
 */
export async function roll(lab: Lab, campaign: Campaign): Promise<boolean> {
  const load = await startLoad(lab, campaign.clients, campaign.seed);
  const services = planned(lab).filter(({ host, name }) =>
    lab.plan.plan.some(one => one.name === host && one.services.some(service => service === name)),
  );
  await systemClock.sleep(QUIET_MS);
  for (const { host, name } of services) {
    const before = load.errors.length;
    const from = systemClock.monotonic();
    await stop(lab, host, name);
    await start(lab, host, name);
    const seconds = ((systemClock.monotonic() - from) / 1000).toFixed(1);
    campaign.tell(
      `${`${name} on ${host}`.padEnd(40)} ${seconds.padStart(6)} s, ${load.errors.length - before} errors`,
    );
  }
  const recoveryMs = await load.probe();
  campaign.tell(HEAD);
  const whole = await told(load, `${services.length} restarts`, recoveryMs, campaign);
  return whole && load.errors.length === 0;
}
