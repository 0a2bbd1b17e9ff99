import type { Fault, RequestContext, World } from '@folsom/core';

export interface Trace {
  /** Writes the line; pass the error where the work failed. */
  end(error?: unknown): void;
}

const SILENT: Trace = { end: () => {} };

/**
 * One debug line for every call, cast and handled message, with the request id, so that a request's way through the
 * daemons can be put together from their logs.
 */
export function trace(
  world: World,
  context: RequestContext,
  rpc: 'call' | 'cast' | 'handle',
  topic: string,
  method: string,
): Trace {
  if (world.log.level !== 'debug') return SILENT;
  const started = world.clock.monotonic();
  return {
    end: error => {
      const ms = Math.round((world.clock.monotonic() - started) * 1000) / 1000;
      world.log
        .child({ requestId: context.requestId, rpc, topic, method, ms })
        .debug(`rpc ${rpc} ${topic} ${method}`, error === undefined ? {} : { fault: (error as Fault).name });
    },
  };
}
