import { Fault, metricsOf, type RequestContext, type World } from '@folsom/core';
import { rpcMetrics, topicLabel } from './metrics.ts';

export interface Trace {
  /** The context as it is to be sent, or worked with: of this step of the trace. */
  context: RequestContext;
  /** Counts, and writes the line; pass the error where the work failed. */
  end(error?: unknown): void;
}

const SPANS = { call: 'client', cast: 'producer', handle: 'consumer' } as const;

/**
 * What is told of every call, cast and handled message: counts, one debug line with the request id, so that a request's way
 * through the daemons can be put together from their logs, and a span where somebody collects them.
 */
export function trace(
  world: World,
  given: RequestContext,
  rpc: keyof typeof SPANS,
  topic: string,
  method: string,
): Trace {
  const metrics = metricsOf(world);
  const started = world.clock.monotonic();
  const label = topicLabel(topic);
  const span = world.tracer?.start(`${label} ${method}`, SPANS[rpc], given.traceparent, {
    'messaging.system': 'rabbitmq',
    'messaging.destination.name': topic,
    'folsom.request_id': given.requestId,
  });
  const context = span ? { ...given, traceparent: span.traceparent } : given;
  if (rpc !== 'handle') {
    const kind = topic.endsWith('_fanout') ? 'fanout' : rpc;
    metrics.add(rpcMetrics.sent, [kind, label, method]);
  }
  return {
    context,
    end: error => {
      const ms = world.clock.monotonic() - started;
      span?.end(error);
      if (rpc === 'call') metrics.observe(rpcMetrics.calls, [label, outcomeOf(error)], ms / 1000);
      if (world.log.level !== 'debug') return;
      world.log
        .child({ requestId: context.requestId, rpc, topic, method, ms: Math.round(ms * 1000) / 1000 })
        .debug(`rpc ${rpc} ${topic} ${method}`, error === undefined ? {} : { fault: (error as Fault).name });
    },
  };
}

export const outcomeOf = (error: unknown): 'ok' | 'fault' | 'error' =>
  error === undefined ? 'ok' : error instanceof Fault ? 'fault' : 'error';
