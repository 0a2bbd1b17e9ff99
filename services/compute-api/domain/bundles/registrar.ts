import type { Journal } from './journal.ts';
import { BUNDLE_LIMITS } from './limits.ts';
import { fillFromBundle, type Registration, type RegistrationParts } from './registration.ts';
import { takenUp } from './resumption.ts';

/** What works at registrations after their requests are answered. */
export interface Registrar {
  /** False when too many wait already; else it is done whatever becomes of this process. */
  start(registration: Registration): Promise<boolean>;
  /** Takes up what a former life of this process left. */
  resume(): Promise<void>;
  /** Leaves what is under way to the next life. */
  stop(): Promise<void>;
}

export function registrar(parts: RegistrationParts, journal: Journal): Registrar {
  const waiting: Registration[] = [];
  const working = new Set<Promise<void>>();
  const stopping = new AbortController();
  const forget = (imageId: string) =>
    journal
      .remove(imageId)
      .catch(error => parts.log.warn('the journal of registrations cannot be written', { error }));
  const work = async (registration: Registration): Promise<void> => {
    if (await fillFromBundle(parts, registration, stopping.signal)) await forget(registration.image.id);
  };
  const next = () => {
    while (working.size < BUNDLE_LIMITS.atOnce && !stopping.signal.aborted) {
      const registration = waiting.shift();
      if (registration === undefined) return;
      const running = work(registration).finally(() => {
        working.delete(running);
        next();
      });
      working.add(running);
    }
  };
  const full = () => stopping.signal.aborted || waiting.length >= BUNDLE_LIMITS.waitingMax;
  return {
    start: async registration => {
      if (full()) return false;
      const { context, image, location } = registration;
      await journal.add({ context, imageId: image.id, location });
      waiting.push(registration);
      next();
      return true;
    },
    resume: async () => {
      for (const entry of await journal.left()) {
        const again = takenUp(parts, entry, stopping.signal).then(async registration => {
          if (registration === 'stopped') return;
          if (registration === undefined) await forget(entry.imageId);
          else waiting.push(registration);
          next();
        });
        working.add(again);
        void again.finally(() => working.delete(again));
      }
    },
    stop: async () => {
      stopping.abort(new Error('the service stops'));
      await Promise.all(working);
      await parts.store.close();
    },
  };
}
