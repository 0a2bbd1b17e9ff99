import type { Clock } from '@folsom/core';

/**
 * How long a statement waits for another process's transaction. SQLite waits in the only thread there is, so this
 * stays short; whoever can wait longer tries again with {@link whileBusy}.
 */
export const BUSY_MS = 20;

const RETRY_FIRST_MS = 5;
const RETRY_MAX_MS = 100;
/** As long as the original's databases wait. */
const PATIENCE_MS = 25_000;

/** Whether a statement failed only because somebody else has the database locked. */
export const isBusy = (error: unknown): boolean =>
  /^SQLITE_(BUSY|LOCKED)/.test((error as { code?: string } | null)?.code ?? '');

/** Does `work` again until no other process's lock is in its way, or for at most 25 s; other work goes on meanwhile. */
export async function whileBusy<T>(clock: Clock, work: () => Promise<T> | T): Promise<T> {
  const until = clock.monotonic() + PATIENCE_MS;
  for (let pause = RETRY_FIRST_MS; ; pause = Math.min(RETRY_MAX_MS, pause * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || clock.monotonic() > until) throw error;
      await clock.sleep(pause);
    }
  }
}
