import type { Fault } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';

/** How many hosts each step of a choice removed, in the order of the steps. */
export interface Tally {
  considered: number;
  removed: Map<string, number>;
}

export const newTally = (considered: number): Tally => ({ considered, removed: new Map() });

export const countRemoved = (tally: Tally, step: string, hosts: number): void =>
  void tally.removed.set(step, (tally.removed.get(step) ?? 0) + hosts);

/** For administrators: `2 hosts considered: RetryFilter removed 0, RamFilter removed 2.` */
export function tallyText({ considered, removed }: Tally): string {
  if (considered === 0) return 'No compute host has reported yet.';
  const steps = [...removed].map(([step, hosts]) => `${step} removed ${hosts}`);
  const hosts = `${considered} host${considered === 1 ? '' : 's'} considered`;
  return steps.length === 0 ? `${hosts}.` : `${hosts}: ${steps.join(', ')}.`;
}

/** The text reaches administrators alone: users see the fault's name. */
export const noValidHost = (reason: string): Fault => novaFault('NoValidHost', { reason });
