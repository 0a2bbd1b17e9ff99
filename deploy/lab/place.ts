import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostPlan, LabOptions } from './plan.ts';

/** The files of a lab, all below one directory. */
export interface Place {
  dir: string;
  /** What it is made of: written before anything is made. */
  plan: string;
  openrc: string;
  host(name: string): { dir: string; log: string; disk: string; mounts: string; conf: string };
  logOf(host: string, process: string): string;
}

export function placeOf(dir: string): Place {
  const host = (name: string) => {
    const own = join(dir, 'hosts', name);
    return {
      dir: own,
      log: join(own, 'log'),
      disk: join(own, 'disk.img'),
      mounts: join(own, 'mounts'),
      conf: join(own, 'conf'),
    };
  };
  return {
    dir,
    plan: join(dir, 'lab.json'),
    openrc: join(dir, 'openrc'),
    host,
    logOf: (name, process) => join(host(name).log, `${process}.log`),
  };
}

/** What was decided when the lab was made. */
export interface LabPlan extends LabOptions {
  hosts: number;
  plan: HostPlan[];
  /** What this machine does not have, in words. */
  without: string[];
  /** Whether it is up as a whole; else its making was broken off. */
  whole: boolean;
  /** Whether only hosts and servers were asked for. */
  bare: boolean;
}

export function readPlan(place: Place): LabPlan | undefined {
  try {
    return JSON.parse(readFileSync(place.plan, 'utf8')) as LabPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function writePlan(place: Place, plan: LabPlan): void {
  mkdirSync(place.dir, { recursive: true, mode: 0o700 });
  writeFileSync(`${place.plan}.new`, JSON.stringify(plan, null, 2), { mode: 0o600 });
  renameSync(`${place.plan}.new`, place.plan);
}
