import type { RequestContext } from '@folsom/core';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { type ComputeSeam, NotOurs, networked, onInstance } from '../seam.ts';
import { generatePassword } from './password.ts';
import { settle } from './power.ts';

/** Boots the instance from a rescue disk, its own disk beside it. */
export async function rescueInstance(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  password: string | null,
): Promise<void> {
  await onInstance(
    seam,
    context,
    uuid,
    async operation => {
      const { guest, signal } = operation;
      if (guest.host !== seam.host || guest.task_state !== taskState.rescuing)
        throw new NotOurs('nobody waits for this rescue');
      const network = await seam.network.instanceNetworkInfo(operation.context, networked(guest));
      const image = await seam.images.show(
        operation.context,
        seam.settings.rescue_image_id ?? guest.image_ref,
      );
      await seam.driver.rescue({
        context: operation.context,
        guest,
        image,
        injectedFiles: [],
        adminPassword: password || generatePassword(seam),
        network,
        volumes: [],
        signal,
      });
      await settle(seam, operation, { vm_state: vmState.rescued }, taskState.rescuing);
    },
    { errorState: true },
  );
}
