import { elevated, isFault, type RequestContext } from '@folsom/core';
import type { RunInstanceArgs } from '@folsom/nova/rpc/compute';
import { attach } from './operations/attach.ts';
import { abandonBuild } from './operations/boot.ts';
import { detach } from './operations/detach.ts';
import { recoverOperation } from './operations/operation.ts';
import { operationOn } from './operations/table.ts';
import { addFault, afterFailure, type ComputeSeam, presentGuest } from './seam.ts';

/**
 * Makes the rows say that a message is given up: it failed for a passing cause too often. What goes on with its message
 * is undone or reported as if that had been lost; anything else ends as if it had failed for good.
 */
export async function abandoned(
  seam: ComputeSeam,
  context: RequestContext,
  method: string,
  args: { instance?: { uuid?: unknown }; reservations?: string[] | null },
  error: unknown,
): Promise<void> {
  const uuid = args.instance?.uuid;
  if (typeof uuid !== 'string') return;
  seam.awaited.delete(uuid);
  if (method === 'run_instance') {
    return abandonBuild(seam, context, args as unknown as RunInstanceArgs, error).catch(failure => {
      if (!isFault(failure, 'InstanceNotFound')) throw failure;
    });
  }
  // The volume's condition stands for it, by which its audit tries again.
  if ([attach, detach].some(op => op.methods.includes(method))) return;
  const guest = await presentGuest(seam, uuid);
  const op = guest === undefined ? undefined : operationOn(guest);
  if (guest === undefined || op === undefined) return;
  await op.failed?.(seam, uuid, args, error);
  if (guest.host === seam.host && op.carries !== undefined) {
    return recoverOperation(seam, op, elevated(context), guest, error);
  }
  // A deletion stays asked for, and is repeated by its audit.
  if (op.name === 'delete') return addFault(seam, uuid, error);
  await seam.inTurn(uuid, () => afterFailure(seam, guest, error, { errorState: op.errorState }));
}
