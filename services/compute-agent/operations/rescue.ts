import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { networked } from '../seam.ts';
import { attachmentsOf } from '../volumes.ts';
import { operation, STALLED_MS, type Work } from './operation.ts';
import { generatePassword } from './password.ts';
import { settle } from './power.ts';

interface Rescue extends Work {
  password: string | null;
}

async function start({ seam, context, guest, password }: Rescue, signal: AbortSignal): Promise<void> {
  const network = await seam.network.instanceNetworkInfo(context, networked(guest));
  const image = await seam.images.show(context, seam.settings.rescue_image_id ?? guest.image_ref);
  const adminPassword = password || generatePassword(seam);
  const request = { context, guest, image, injectedFiles: [], adminPassword, network, volumes: [], signal };
  await seam.driver.rescue(request);
}

/**
 * Boots the instance from a rescue disk, its own disk beside it; its volumes wait for its return. A rescue without the password would lock the user out.
 */
export const rescue = operation<Rescue, { rescue_password: string | null }>({
  name: 'rescue',
  methods: ['rescue_instance'],
  asked: [taskState.rescuing],
  carries: 'the password',
  errorState: true,
  steps: [
    {
      name: 'start',
      restart: 'undo',
      stalledMs: STALLED_MS,
      run: (work, { signal }) => start(work, signal),
      undo: async ({ seam, guest }) =>
        seam.driver.unrescue(
          guest,
          await cachedNetworkInfo(seam.db, guest.uuid),
          await attachmentsOf(seam.db, guest.uuid),
        ),
    },
    { name: 'record', restart: 'undo', run: work => settle(work, { vm_state: vmState.rescued }) },
  ],
  begin: (work, message) => ({ ...work, password: message?.rescue_password ?? null }),
});
