import type { RequestContext } from '@folsom/core';
import type { InstanceChanges } from '@folsom/nova/instances';
import { passing } from '@folsom/nova/passing';
import type { Guest } from '../driver.ts';
import { computeFault } from '../faults.ts';
import {
  afterFailure,
  type ComputeSeam,
  change,
  guestOf,
  isPreempted,
  NotOurs,
  onInstance,
  Reported,
} from '../seam.ts';
import { type ChainOptions, runSteps, type Step, undoSteps } from '../steps.ts';

/** A driver that shows nothing for so long has hung. */
export const STALLED_MS = 1_800_000;

/** What every chain works on. `guest` is the instance as the last step left it. */
export interface Work {
  seam: ComputeSeam;
  context: RequestContext;
  guest: Guest;
  signal: AbortSignal;
}

/** A long operation on an instance: a chain of steps, and how it begins and ends. */
export interface Operation<State extends Work = Work, Message = unknown> {
  name: string;
  /** Messages that ask for it. */
  methods: readonly string[];
  /** task_states in which it is asked for. Empty: it has none, and only its message tells of it. */
  asked: readonly (string | null)[];
  steps: readonly Step<State>[];
  /** What its message alone has, in words: after a restart that is waited for. Absent: recovery begins at once. */
  carries?: string;
  /** Whether a failure for good leaves the instance in ERROR; else it is as before, without the task. */
  errorState: boolean;
  /** The rest of the state, from the message, or without it where a restart found the work. */
  begin(work: Work, message: Message | undefined): State | Promise<State>;
  /** Whether the work is this host's; as a rule when the instance is on it and has one of the tasks. */
  admits?(seam: ComputeSeam, guest: Guest, message: Message | undefined): boolean | Promise<boolean>;
  /** After the last step. */
  done?(state: State): Promise<void>;
  /** Writes the end of a chain that failed and was undone, instead of what `errorState` says. True: it was not in vain. */
  ended?(state: State, error: unknown): Promise<boolean>;
  /** Whatever else a failure for good is to be told to. */
  failed?(seam: ComputeSeam, uuid: string, message: Message | undefined, error: unknown): Promise<void>;
  /** Failures after which it goes on when its message comes again; as a rule everything that passes. */
  passes?(error: unknown): boolean;
  /** It may go on beside other work on the instance, which ends it. */
  aside?: boolean;
  /** How a restart begins it again, where that is not simply the chain without its message. */
  again?(seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<void>;
}

/** Declares an operation with the types of its state and its message. */
export const operation = <State extends Work, Message = undefined>(
  declared: Operation<State, Message>,
): Operation<State, Message> => declared;

/** As the table has them: the types of their states are their own matter. */
// biome-ignore lint/suspicious/noExplicitAny: states differ from operation to operation
export type AnyOperation = Operation<any, any>;

/** All task_states that say that it is under way. */
export const tasksOf = (op: AnyOperation): readonly (string | null)[] => [
  ...new Set([...op.asked, ...op.steps.flatMap(step => (step.task === undefined ? [] : [step.task]))]),
];

/** The task_states in which each step runs: its own, else that of the step before it. */
export function tasksOfSteps(op: AnyOperation): readonly (readonly (string | null)[])[] {
  let current = op.asked;
  return op.steps.map(step => {
    if (step.task !== undefined) current = [step.task];
    return current;
  });
}

/** The last step that work may have been in that was cut short in this task; the last of all for one it has not. */
export function stepIn(op: AnyOperation, task: string | null): number {
  const at = tasksOfSteps(op).findLastIndex(tasks => tasks.includes(task));
  return at < 0 ? op.steps.length - 1 : at;
}

/** Changes the instance as long as it is whose it was, in the state and the task in which this work has left it. */
export async function hold(work: Work, changes: InstanceChanges, reads?: 'row'): Promise<void> {
  const { seam, context, guest } = work;
  const asFound = { host: guest.host, expectedVmState: guest.vm_state, expectedTaskState: guest.task_state };
  const kept = reads === 'row' ? guest : undefined;
  work.guest = await change(seam, context, guest, changes, asFound, kept);
}

const passes = (op: AnyOperation, error: unknown): boolean =>
  op.passes?.(error) ?? passing(error) !== undefined;

/** Runs an operation on an instance. */
export async function perform<State extends Work, Message>(
  seam: ComputeSeam,
  op: Operation<State, Message>,
  context: RequestContext,
  uuid: string,
  message?: Message,
): Promise<void> {
  const options = {
    errorState: op.errorState,
    aside: op.aside,
    passes: (error: unknown) => passes(op, error),
  };
  try {
    await onInstance(
      seam,
      context,
      uuid,
      async found => {
        await requireOurs(seam, op, found.guest, message);
        await run(op, await op.begin({ seam, ...found }, message));
      },
      options,
    );
  } catch (error) {
    if (!passes(op, error)) await op.failed?.(seam, uuid, message, error);
    throw error;
  }
}

/** @throws NotOurs for a message that comes late, or once more: it finds another task, and what it asks for is over */
async function requireOurs(
  seam: ComputeSeam,
  op: AnyOperation,
  guest: Guest,
  message: unknown,
): Promise<void> {
  const ours =
    op.admits === undefined
      ? guest.host === seam.host && tasksOf(op).includes(guest.task_state)
      : await op.admits(seam, guest, message);
  if (!ours) throw new NotOurs(`nobody waits for ${op.name} here`);
}

/** Runs the chain, or what is left of it. */
async function run<State extends Work>(op: Operation<State, never>, state: State, from = 0): Promise<void> {
  try {
    await runSteps(op.steps.slice(from), state, chainOptions(op, state));
  } catch (error) {
    if (op.ended === undefined || passes(op, error) || isPreempted(error)) throw error;
    if (await op.ended(state, error)) return;
    throw new Reported(error);
  }
  await op.done?.(state);
}

const chainOptions = (op: AnyOperation, state: Work): ChainOptions<Work> => ({
  operation: op.name,
  instanceUuid: state.guest.uuid,
  clock: state.seam.world.clock,
  metrics: state.seam.world.metrics,
  tracer: state.seam.world.tracer,
  traceparent: state.context.traceparent,
  log: state.seam.log.child({ requestId: state.context.requestId }),
  observe: state.seam.observe,
  signal: state.signal,
  enter: (work, task, reads) => hold(work, { task_state: task }, reads),
  keep: error => passes(op, error),
});

/**
 * Takes work up that was cut short and whose message is lost or says nothing more: as the step it was in says. `cause`
 * is what the fault record tells.
 */
export async function recoverOperation(
  seam: ComputeSeam,
  op: AnyOperation,
  context: RequestContext,
  listed: Guest,
  cause: unknown = interrupted(seam, listed),
): Promise<void> {
  const at = stepIn(op, listed.task_state);
  const restart = op.steps[at]?.restart ?? 'error';
  if (restart === 'again') {
    if (op.again !== undefined) return op.again(seam, context, listed);
    return perform(seam, op, context, listed.uuid);
  }
  await onInstance(seam, context, listed.uuid, async found => {
    // The message may have come a second time and the work be done, or the instance be another host's by now.
    if (!unchanged(found.guest, listed) || found.guest.host !== seam.host) return;
    const state = (await op.begin({ seam, ...found }, undefined)) as Work;
    const done = await lastFound(op.steps.slice(0, at + 1), state);
    if (done >= 0) return run(op, state, done + 1);
    await undoSteps<Work>(op.steps.slice(0, at + 1), state, chainOptions(op, state));
    if (op.ended !== undefined) await op.ended(state, cause);
    else await afterFailure(seam, found.guest, cause, { errorState: restart === 'error' });
  });
}

const unchanged = (now: Guest, before: Guest): boolean =>
  now.task_state === before.task_state && now.vm_state === before.vm_state;

async function lastFound(steps: readonly Step<Work>[], state: Work): Promise<number> {
  for (let at = steps.length - 1; at >= 0; at--) if (await steps[at]?.found?.(state)) return at;
  return -1;
}

const interrupted = (seam: ComputeSeam, guest: Guest) =>
  computeFault('InstanceInterrupted', { host: seam.host, task: guest.task_state ?? guest.vm_state });

/** The instance again, whatever was done to it meanwhile; deleted ones too. */
export const again = async (work: Work): Promise<Guest> => {
  work.guest = await guestOf(work.seam, work.guest.uuid, { readDeleted: 'yes' });
  return work.guest;
};
