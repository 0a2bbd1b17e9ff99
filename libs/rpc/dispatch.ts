import { Fault, metricsOf, type RequestContext, type World } from '@folsom/core';
import type { ServeOptions } from './bus.ts';
import { encodeFailure } from './failure.ts';
import { rpcFault } from './faults.ts';
import { rpcMetrics } from './metrics.ts';
import { outcomeOf, trace } from './trace.ts';
import { versionServed } from './version.ts';
import { type Body, unpackContext } from './wire.ts';

/** What a handler gave, ready for the wire: its value as JSON text, or the text of a `failure` field. */
export type Outcome = { result: string } | { failure: string };

/** An outcome, or a failure that may pass by itself. */
export type Attempt = Outcome | { passing: 'outage' | 'brief'; error: unknown };

/**
 * Runs the handler a message names and turns whatever happens into an outcome; never rejects. `final`: nobody tries
 * again, so that a failure that passes is an answer like any other, under the name Folsom's callers see it by.
 */
export async function dispatch(
  world: World,
  served: ServeOptions,
  body: Body,
  final = false,
): Promise<Attempt> {
  const sender = unpackContext(body, world.clock.now());
  const method = typeof body.method === 'string' ? body.method : '';
  // Folsom answers a message without a method with a result, not a failure.
  if (method === '') return { result: JSON.stringify('No method for message') };
  const traced = trace(world, sender, 'handle', served.topic, method);
  const { context } = traced;
  // Whatever somebody puts on the bus, the names of methods stay ours.
  const known = Object.hasOwn(served.handlers, method) ? method : '(unknown)';
  const began = world.clock.monotonic();
  const count = (outcome: 'ok' | 'fault' | 'error' | 'again') =>
    metricsOf(world).observe(
      rpcMetrics.handled,
      [served.topic, known, outcome],
      (world.clock.monotonic() - began) / 1000,
    );
  try {
    const result = JSON.stringify((await run(served, context, method, body)) ?? null);
    traced.end();
    count('ok');
    return { result };
  } catch (error) {
    traced.end(error);
    const fields = { requestId: context.requestId, topic: served.topic, method };
    const passing = served.recovery?.passing(error);
    const again = passing !== undefined && !final;
    count(again ? 'again' : outcomeOf(error));
    if (again) return { passing, error };
    if (error instanceof Fault)
      world.log.info(`rpc fault: ${error.message}`, { ...fields, fault: error.name });
    else world.log.error('rpc handler failed', { ...fields, error });
    return { failure: encodeFailure(error, passing === undefined ? undefined : 'OperationalError') };
  }
}

function run(served: ServeOptions, context: RequestContext, method: string, body: Body): unknown {
  const version = typeof body.version === 'string' ? body.version : null;
  if (!versionServed(served.version, version)) {
    throw rpcFault('UnsupportedRpcVersion', { version: version ?? '1.0' });
  }
  const handler = Object.hasOwn(served.handlers, method) ? served.handlers[method] : undefined;
  if (handler === undefined) {
    throw new Fault('AttributeError', 500, `No such RPC function '${method}'`, { module: 'exceptions' });
  }
  const args = typeof body.args === 'object' && body.args !== null ? body.args : {};
  return handler(context, args as Record<string, never>);
}
