import type { Clock, Logger, Random, RunningService } from '@folsom/core';

/** A daemon's work: one pass over everything. */
export interface Pass {
  /** Folsom's program name, e.g. `swift-object-replicator`. */
  name: string;
  /** Ends early when the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export interface DaemonTiming {
  /** From the start of a pass to the start of the next, or the pause after it. Milliseconds. */
  intervalMs: number;
  /** `start`: passes begin every interval; `end`: an interval lies between them. */
  from: 'start' | 'end';
  /** Wait a random part of an interval before the first pass, so that hosts do not march in step. */
  spread?: boolean;
}

/** Repeats a pass until stopped. A pass that fails is logged and does not end the daemon. */
export function startDaemon(
  pass: Pass,
  timing: DaemonTiming,
  { clock, random, log }: { clock: Clock; random: Random; log: Logger },
): RunningService {
  const stopping = new AbortController();
  const { signal } = stopping;
  const loop = async () => {
    if (timing.spread) await clock.sleep(random.int(Math.max(1, Math.floor(timing.intervalMs))), signal);
    for (;;) {
      const started = clock.monotonic();
      try {
        await pass.run(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.error('pass failed', { daemon: pass.name, error });
      }
      if (signal.aborted) return;
      const spent = timing.from === 'start' ? clock.monotonic() - started : 0;
      await clock.sleep(Math.max(timing.intervalMs - spent, 1), signal);
    }
  };
  const ended = loop().catch(error => {
    if (!signal.aborted) log.error('daemon ended', { daemon: pass.name, error });
  });
  return {
    name: pass.name,
    addresses: [],
    stop: async () => {
      stopping.abort(new Error('stopped'));
      await ended;
    },
  };
}
