import { BUNDLE_LIMITS } from './limits.ts';
import { fillFromBundle, type Registration, type RegistrationParts } from './registration.ts';

/** What works at registrations after their requests are answered. */
export interface Registrar {
  /** False when too many wait already. */
  start(registration: Registration): boolean;
  /** Gives up what is under way: its images say so. */
  stop(): Promise<void>;
}

export function registrar(parts: RegistrationParts): Registrar {
  const waiting: Registration[] = [];
  const working = new Set<Promise<void>>();
  const stopping = new AbortController();
  const next = () => {
    while (working.size < BUNDLE_LIMITS.atOnce) {
      const registration = waiting.shift();
      if (registration === undefined) return;
      const work = fillFromBundle(parts, registration, stopping.signal).finally(() => {
        working.delete(work);
        next();
      });
      working.add(work);
    }
  };
  return {
    start: registration => {
      if (stopping.signal.aborted || waiting.length >= BUNDLE_LIMITS.waitingMax) return false;
      waiting.push(registration);
      next();
      return true;
    },
    stop: async () => {
      stopping.abort(new Error('the service stops'));
      while (working.size > 0 || waiting.length > 0) await Promise.all(working);
      await parts.store.close();
    },
  };
}
