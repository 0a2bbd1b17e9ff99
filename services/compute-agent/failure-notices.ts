import type { RequestContext } from '@folsom/core';
import { TOLD_FAILURES } from '@folsom/nova/notifications';
import { passing } from '@folsom/nova/passing';
import { type ComputeSeam, InstanceGoes, NotOurs } from './seam.ts';

type Handler = (context: RequestContext, args: Record<string, unknown>) => Promise<unknown>;

/** What is no failure of the work: its message comes again, came twice, or a deletion has ended it. */
const isUntold = (error: unknown): boolean =>
  passing(error) !== undefined || error instanceof NotOurs || error instanceof InstanceGoes;

/** Lets failures of messages be told to whoever listens to notifications, each under the name of its message. */
export function withFailuresTold<Handlers extends object>(
  seam: Pick<ComputeSeam, 'notify'>,
  handlers: Handlers,
): Handlers {
  const told = { ...handlers } as Record<string, Handler>;
  for (const method of TOLD_FAILURES) {
    const handler = told[method];
    if (handler === undefined) continue;
    told[method] = async (context, args) => {
      try {
        return await handler(context, args);
      } catch (error) {
        if (!isUntold(error)) await seam.notify.failed(context, method, args, error);
        throw error;
      }
    };
  }
  return told as Handlers;
}
