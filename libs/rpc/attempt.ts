import { maskText, metricsOf, type World } from '@folsom/core';
import type { ServeOptions } from './bus.ts';
import { dispatch, type Outcome } from './dispatch.ts';
import { RPC_LIMITS } from './limits.ts';
import { rpcMetrics } from './metrics.ts';
import { type Body, unpackContext } from './wire.ts';

/** What is to become of a message after one attempt. */
export type Settlement =
  | { outcome: Outcome }
  /** To be tried again after so many milliseconds. */
  | { againMs: number }
  /** To be put aside, with the reason. */
  | { dead: string };

/** Milliseconds before the attempt that follows the `attempt`-th, counted from 1. */
const pauseAfter = (attempt: number): number =>
  Math.min(RPC_LIMITS.retryPauseMs * 2 ** Math.min(attempt - 1, 16), RPC_LIMITS.retryPauseMaxMs);

/**
 * Works on a message once, for the `number`-th time. A failure that passes has it tried again; after the limit the
 * server's rows are made to say so, and the message is put aside. Without a number (a call, whose caller waits; a
 * fan-out) every failure is final.
 *
 * @param sentAt when it was handed to the bus, in milliseconds since the epoch
 */
export async function attempt(
  world: World,
  served: ServeOptions,
  body: Body,
  number: number | undefined,
  sentAt?: number,
): Promise<Settlement> {
  const metrics = metricsOf(world);
  if (number !== undefined && number > 1) metrics.add(rpcMetrics.redelivered, [served.topic, 'again']);
  else if (sentAt !== undefined)
    metrics.observe(rpcMetrics.age, [served.topic], Math.max(0, world.clock.now() - sentAt) / 1000);
  const result = await dispatch(world, served, body, number === undefined);
  if (!('passing' in result) || number === undefined) return { outcome: result as Outcome };
  const { passing, error } = result;
  const context = unpackContext(body, world.clock.now());
  const method = String(body.method);
  const reason = maskText(error instanceof Error ? error.message : String(error));
  const fields = { requestId: context.requestId, topic: served.topic, method, attempt: number };
  const limit = passing === 'outage' ? RPC_LIMITS.outageAttemptsMax : RPC_LIMITS.briefAttemptsMax;
  if (number < limit) {
    const againMs = pauseAfter(number);
    world.log.warn('a message cannot be worked on now and is tried again', { ...fields, againMs, error });
    return { againMs };
  }
  try {
    await served.recovery?.abandoned?.(context, method, (body.args ?? {}) as never, error);
  } catch (failure) {
    world.log.error('cannot write down that a message is given up', { ...fields, error: failure });
    if (number < RPC_LIMITS.outageAttemptsMax * 2) return { againMs: RPC_LIMITS.retryPauseMaxMs };
  }
  metrics.add(rpcMetrics.abandoned, [
    served.topic,
    Object.hasOwn(served.handlers, method) ? method : '(unknown)',
  ]);
  world.log.error('a message is given up', { ...fields, error });
  return { dead: reason };
}
