import type { Clock } from '@folsom/core';
import { type Database, openDatabase } from '@folsom/db';

/** The life of a simulated process. Once it is over nothing it calls answers any more, as if its next line never ran. */
export interface Life {
  readonly over: boolean;
  /** Ends it between two steps; calls `atEnd` functions. */
  end(): void;
  atEnd(fn: () => void): void;
}

export function life(): Life {
  const ends: (() => void)[] = [];
  let over = false;
  return {
    get over() {
      return over;
    },
    end() {
      if (over) return;
      over = true;
      for (const fn of ends) fn();
    },
    atEnd: fn => void ends.push(fn),
  };
}

const never = () => new Promise<never>(() => {});

/** The same object for one process: its functions answer only as long as the process lives. */
export function mortal<T extends object>(target: T, own: Life, onCall: () => void = () => {}): T {
  return new Proxy(target, {
    get(object, key) {
      const value = Reflect.get(object, key);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        if (own.over) return never();
        onCall();
        const result = value.apply(object, given);
        // An answer that arrives after the end is not heard.
        return result instanceof Promise
          ? result.then(
              answer => (own.over ? never() : answer),
              error => (own.over ? never() : Promise.reject(error)),
            )
          : result;
      };
    },
  });
}

/** A clock whose timers die with the process. */
export function mortalClock(clock: Clock, own: Life): Clock {
  const alive = (fn: () => void) => () => {
    if (!own.over) fn();
  };
  const timer = (made: { cancel(): void }) => {
    own.atEnd(() => made.cancel());
    return made;
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) =>
      own.over ? never() : clock.sleep(ms, signal).then(() => (own.over ? never() : undefined)),
    after: (ms, fn) => timer(clock.after(ms, alive(fn))),
    every: (ms, fn) => timer(clock.every(ms, alive(fn))),
  };
}

/** What knex keeps to itself and a power cut needs. */
interface SqliteParts {
  constructor: {
    prototype: { _query(...given: unknown[]): Promise<unknown>; acquireConnection(): Promise<unknown> };
  };
  pool: { used: { resource: { close(): void } }[]; free: { resource: { close(): void } }[] };
}

/** A connection of one process to a shared file; its open transaction goes with the process. */
export async function mortalDatabase(
  connection: string,
  clock: Clock,
  own: Life,
  onQuery: () => void,
): Promise<Database> {
  const db = await openDatabase({ connection, clock });
  const client = db.knex.client as SqliteParts;
  // Transactions get clients of their own with this prototype.
  const { prototype } = client.constructor;
  const { _query: query, acquireConnection: acquire } = prototype;
  prototype._query = function (...given) {
    onQuery();
    return own.over ? never() : query.apply(this, given).then(result => (own.over ? never() : result));
  };
  prototype.acquireConnection = function () {
    return own.over ? never() : acquire.apply(this);
  };
  own.atEnd(() => {
    for (const { resource } of [...client.pool.used, ...client.pool.free]) resource.close();
  });
  return db;
}
