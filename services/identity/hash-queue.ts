import type { Clock, Timer } from '@folsom/core';
import { must } from '@folsom/core';
import { fault } from './faults.ts';

export interface HashQueueLimits {
  /** Pieces of work at a time. */
  atATime: number;
  /** Pieces that wait, of everybody and of one name. */
  waitingMax: number;
  waitingOfOneMax: number;
  /** Longest wait in milliseconds. */
  waitMs: number;
}

interface Waiting {
  start(): void;
  timer: Timer;
}

/**
 * A queue of slow work with a line for every name. One name has one piece of work under way, and names take turns: whoever asks
 * a thousand times waits for himself, not the others for him.
 *
 * @throws Fault `Busy` (503) when too much waits, or for too long
 */
export function hashQueue(
  clock: Clock,
  limits: HashQueueLimits,
): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  // In the order in which names take their turns.
  const lines = new Map<string, Waiting[]>();
  const underWay = new Set<string>();
  let waiting = 0;

  const next = () => {
    for (const [name, line] of lines) {
      if (underWay.size >= limits.atATime) return;
      if (underWay.has(name)) continue;
      const first = must(line.shift(), 'line is not empty');
      lines.delete(name);
      if (line.length > 0) lines.set(name, line);
      waiting -= 1;
      first.timer.cancel();
      underWay.add(name);
      first.start();
    }
  };

  const turn = (name: string): Promise<void> => {
    const line = lines.get(name) ?? [];
    if (waiting >= limits.waitingMax || line.length >= limits.waitingOfOneMax) throw fault('Busy');
    return new Promise((resolve, reject) => {
      const late = () => {
        line.splice(line.indexOf(mine), 1);
        if (line.length === 0) lines.delete(name);
        waiting -= 1;
        reject(fault('Busy'));
      };
      const mine: Waiting = { start: resolve, timer: clock.after(limits.waitMs, late) };
      line.push(mine);
      lines.set(name, line);
      waiting += 1;
    });
  };

  return async (name, work) => {
    if (underWay.has(name) || lines.has(name) || underWay.size >= limits.atATime) await turn(name);
    else underWay.add(name);
    try {
      return await work();
    } finally {
      underWay.delete(name);
      next();
    }
  };
}
