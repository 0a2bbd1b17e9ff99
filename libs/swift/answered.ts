import type { Logger, World } from '@folsom/core';
import { maskedTarget } from './masked-target.ts';
import { countAnswer } from './statsd.ts';
import { BATCH_METHOD } from './update-batch.ts';

/** What is said of a request; a server's own request has all of it. */
export interface AnsweredTo {
  method: string;
  target: string;
  headers: ReadonlyMap<string, string>;
  remoteAddress: string;
}

/** Counts a storage server's answer, and notes it in the log where that is wanted. `ms` is what it took. */
export function answered(
  { world, log, server, logged }: { world: World; log: Logger; server: string; logged: boolean },
  { method, target, headers, remoteAddress }: AnsweredTo,
  status: number,
  ms: number,
): void {
  countAnswer(world, server, method, status, ms);
  if (!logged) return;
  log[method === 'REPLICATE' || method === BATCH_METHOD ? 'debug' : 'info']('request', {
    method,
    path: maskedTarget(target),
    status,
    requestId: headers.get('x-trans-id') ?? '-',
    remote: remoteAddress,
    ms: Math.round(ms * 100) / 100,
  });
}
