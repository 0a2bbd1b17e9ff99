import type { Clock, Logger } from '@folsom/core';
import { computeFault } from './faults.ts';

/** One named part of a long operation. Each may run again after it was cut short. */
export interface Step<State> {
  name: string;
  /**
   * Longest time without a sign of progress, in milliseconds: then the step has failed, and its signal is aborted.
   * Steps that only ask the database and other daemons have none, since every question has a limit of its own: a host
   * under load is slow and not broken.
   */
  stalledMs?: number;
  run(state: State, part: StepPart): Promise<void>;
  /** Takes back what `run` did or began; must bear a `run` that never finished. Runs when a later step fails too. */
  undo?(state: State): Promise<void>;
}

export interface StepPart {
  signal: AbortSignal;
  /** Says that the step comes on. */
  progress(): void;
}

/** Told the name of every step before it runs. Tests end the process here. */
export type StepObserver = (operation: string, step: string, instanceUuid: string) => void | Promise<void>;

export interface ChainOptions {
  operation: string;
  instanceUuid: string;
  clock: Clock;
  log: Logger;
  observe?: StepObserver | undefined;
  /** Ends the operation early, e.g. because the instance is being deleted. */
  signal?: AbortSignal;
  /** Failures after which nothing is undone: what was begun is another's, or goes on when its message comes again. */
  keep?: (error: unknown) => boolean;
}

/**
 * Runs steps in order. When one fails, takes back that one and those before it, last first, and rejects with the
 * failure. An undo that fails is logged and does not keep the others from running.
 */
export async function runSteps<State>(
  steps: readonly Step<State>[],
  state: State,
  options: ChainOptions,
): Promise<void> {
  const begun: Step<State>[] = [];
  try {
    for (const step of steps) {
      options.signal?.throwIfAborted();
      await options.observe?.(options.operation, step.name, options.instanceUuid);
      begun.push(step);
      const started = options.clock.monotonic();
      await limited(step, state, options);
      options.log.debug('step done', {
        operation: options.operation,
        step: step.name,
        instance: options.instanceUuid,
        ms: Math.round(options.clock.monotonic() - started),
      });
    }
  } catch (error) {
    if (options.keep?.(error)) throw error;
    for (const step of begun.reverse()) {
      if (step.undo === undefined) continue;
      await step.undo(state).catch(undoError =>
        options.log.error('cannot undo a step', {
          operation: options.operation,
          step: step.name,
          instance: options.instanceUuid,
          error: undoError,
        }),
      );
    }
    throw error;
  }
}

async function limited<State>(step: Step<State>, state: State, options: ChainOptions): Promise<void> {
  const controller = new AbortController();
  const onAbort = () => controller.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  let timer: { cancel(): void } | undefined;
  let seen = options.clock.monotonic();
  const { stalledMs } = step;
  const stalled = new Promise<never>((_resolve, reject) => {
    if (stalledMs === undefined) return;
    const watch = (ms: number) => {
      timer = options.clock.after(ms, () => {
        const left = stalledMs - (options.clock.monotonic() - seen);
        if (left > 0) return watch(left);
        const fault = computeFault('StepTimeout', {
          operation: options.operation,
          step: step.name,
          seconds: stalledMs / 1000,
        });
        controller.abort(fault);
        reject(fault);
      });
    };
    watch(stalledMs);
  });
  const progress = () => {
    seen = options.clock.monotonic();
  };
  try {
    const work = step.run(state, { signal: controller.signal, progress });
    work.catch(() => {}); // a step that is given up may still fail later
    await Promise.race([work, stalled]);
  } finally {
    timer?.cancel();
    options.signal?.removeEventListener('abort', onAbort);
  }
}
