import { IDENTITY_LIMITS } from '../limits.ts';
import type { Port } from './caller.ts';

type Counts = Record<string, Record<string, number>>;

/** Requests counted by method and status since the start or the last reset. */
export interface Statistics {
  count(port: Port, method: string, status: number): void;
  get(port: Port): Counts;
  reset(): void;
}

export function statistics(): Statistics {
  let counts: Record<Port, Counts> = { public: {}, admin: {} };
  const add = (port: Port, category: string, value: string) => {
    counts[port][category] ??= {};
    const values = counts[port][category];
    if (!(value in values) && Object.keys(values).length >= IDENTITY_LIMITS.statisticValuesMax) return;
    values[value] = (values[value] ?? 0) + 1;
  };
  return {
    count: (port, method, status) => {
      add(port, 'method', method);
      add(port, 'status_int', String(status));
    },
    get: port => counts[port],
    reset: () => {
      counts = { public: {}, admin: {} };
    },
  };
}
