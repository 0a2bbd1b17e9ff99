import { type Clock, type Logger, type Metrics, NO_METRICS, type Span, type Tracer } from '@folsom/core';
import { computeFault } from './faults.ts';
import { computeMetrics } from './metrics.ts';

/** What a restart does with work that was cut short in a step. */
export type AfterRestart =
  /** The chain is run again from its beginning; every step bears that. */
  | 'again'
  /** What the steps took is given back; the instance is as before, and a fault says so. */
  | 'undo'
  /** What the steps took is given back as far as that is possible; the instance is in ERROR, and a fault says why. */
  | 'error';

/** One named part of a long operation. Each may run again after it was cut short. */
export interface Step<State> {
  name: string;
  /**
   * task_state in which it runs. The step begins by moving the instance there, as long as that is whose it was and in
   * the task it was in: who loses that has not begun. Absent: the task stays.
   */
  task?: string | null;
  /**
   * What of the instance is read again when it moves into the task: all, or at most its row where nobody looks at what hangs
   * on it (groups, metadata, network) before it is read as a whole again.
   */
  reads?: 'row';
  /**
   * Longest time without a sign of progress, in milliseconds: then the step has failed, and its signal is aborted.
   * Steps that only ask the database and other daemons have none, since every question has a limit of its own: a host
   * under load is slow and not broken.
   */
  stalledMs?: number;
  run(state: State, part: StepPart): Promise<unknown>;
  /** Takes back what `run` did or began; must bear a `run` that never finished. Runs when a later step fails too. */
  undo?(state: State): Promise<unknown>;
  /** When it is done, it and the steps before it are not undone any more. */
  commits?: boolean;
  restart: AfterRestart;
  /** Whether its work is there although it was cut short: then a restart goes on behind it. */
  found?(state: State): Promise<boolean>;
}

export interface StepPart {
  signal: AbortSignal;
  /** Says that the step comes on. */
  progress(): void;
}

/** Told the name of every step before it runs. Tests end the process here. */
export type StepObserver = (operation: string, step: string, instanceUuid: string) => void | Promise<void>;

export interface ChainOptions<State> {
  operation: string;
  instanceUuid: string;
  clock: Clock;
  log: Logger;
  metrics?: Metrics | undefined;
  /** Where spans of the steps go, and what they are within. */
  tracer?: Tracer | undefined;
  traceparent?: string | null;
  observe?: StepObserver | undefined;
  /** Ends the operation early, e.g. because the instance is being deleted. */
  signal?: AbortSignal;
  /** Moves the instance into the task of a step. Rejects when it is another's by now. */
  enter?(state: State, task: string | null, reads?: 'row'): Promise<void>;
  /** Failures after which nothing is undone: what was begun goes on when its message comes again. */
  keep?(error: unknown): boolean;
}

/**
 * Runs steps in order. When one fails, takes back that one and those before it, last first, and rejects with the
 * failure. An undo that fails is logged and does not keep the others from running.
 */
export async function runSteps<State>(
  steps: readonly Step<State>[],
  state: State,
  options: ChainOptions<State>,
): Promise<void> {
  const { operation, clock, metrics = NO_METRICS } = options;
  const begun: Step<State>[] = [];
  const whole = clock.monotonic();
  let at = { step: '(before)', since: whole };
  let span: Span | undefined;
  const count = (outcome: string) =>
    metrics.observe(
      computeMetrics.steps,
      [operation, at.step, outcome],
      (clock.monotonic() - at.since) / 1000,
    );
  const countAll = (outcome: string) =>
    metrics.observe(computeMetrics.operations, [operation, outcome], (clock.monotonic() - whole) / 1000);
  try {
    for (const step of steps) {
      at = { step: step.name, since: clock.monotonic() };
      options.signal?.throwIfAborted();
      await options.observe?.(options.operation, step.name, options.instanceUuid);
      if (step.task !== undefined) await options.enter?.(state, step.task, step.reads);
      begun.push(step);
      span = options.tracer?.start(`${operation}: ${step.name}`, 'internal', options.traceparent ?? null, {
        'folsom.instance': options.instanceUuid,
      });
      await limited(step, state, options);
      span?.end();
      span = undefined;
      count('ok');
      if (step.commits) begun.length = 0;
      options.log.debug('step done', {
        operation: options.operation,
        step: step.name,
        instance: options.instanceUuid,
        ms: Math.round(clock.monotonic() - at.since),
      });
    }
    countAll('ok');
  } catch (error) {
    span?.end(error);
    const outcome = options.keep?.(error) ? 'again' : 'failed';
    count(outcome);
    countAll(outcome);
    if (outcome !== 'again') await undoSteps(begun, state, options);
    throw error;
  }
}

/** Takes back what these steps did, last first. */
export async function undoSteps<State>(
  begun: readonly Step<State>[],
  state: State,
  options: ChainOptions<State>,
): Promise<void> {
  for (const step of begun.toReversed()) {
    try {
      await step.undo?.(state);
    } catch (error) {
      options.log.error('cannot undo a step', {
        operation: options.operation,
        step: step.name,
        instance: options.instanceUuid,
        error,
      });
    }
  }
}

async function limited<State>(step: Step<State>, state: State, options: ChainOptions<State>): Promise<void> {
  const controller = new AbortController();
  const onAbort = () => controller.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const stall = stallOf(step, options, controller);
  try {
    const work = step.run(state, { signal: controller.signal, progress: stall.progress });
    work.catch(() => {}); // a step that is given up may still fail later
    await Promise.race([work, stall.failed]);
  } finally {
    stall.end();
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** Fails when a step shows no progress for too long. */
function stallOf<State>(step: Step<State>, options: ChainOptions<State>, controller: AbortController) {
  const { stalledMs } = step;
  const { clock } = options;
  let timer: { cancel(): void } | undefined;
  let seen = clock.monotonic();
  const failed = new Promise<never>((_resolve, reject) => {
    if (stalledMs === undefined) return;
    const watch = (ms: number) => {
      timer = clock.after(ms, () => {
        const left = stalledMs - (clock.monotonic() - seen);
        if (left > 0) return watch(left);
        const { operation } = options;
        const fault = computeFault('StepTimeout', { operation, step: step.name, seconds: stalledMs / 1000 });
        controller.abort(fault);
        reject(fault);
      });
    };
    watch(stalledMs);
  });
  return {
    failed,
    progress: () => {
      seen = clock.monotonic();
    },
    end: () => timer?.cancel(),
  };
}
