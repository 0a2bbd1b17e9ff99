import { isFault, type RequestContext } from '@folsom/core';
import { powerState, taskState } from '@folsom/nova/instance-state';
import { passing } from '@folsom/nova/passing';
import { computeFault } from '../faults.ts';
import { type ComputeSeam, change, NotOurs, onInstance, powerStateOf } from '../seam.ts';

/** Folsom's alphabet: no characters that look alike. */
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export const generatePassword = (seam: ComputeSeam): string =>
  seam.world.random.text(seam.settings.password_length, ALPHABET);

/** Sets the administrator's password inside a running guest, where the driver can. */
export async function setAdminPassword(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  password: string | null,
): Promise<void> {
  await onInstance(seam, context, uuid, async operation => {
    const { guest } = operation;
    if (guest.task_state !== taskState.updatingPassword) throw new NotOurs('nobody waits for this password');
    const done = () =>
      change(
        seam,
        operation.context,
        guest,
        { task_state: null },
        { expectedTaskState: taskState.updatingPassword },
      );
    const failed = async (reason: string) => {
      await done();
      return computeFault('InstancePasswordSetFailed', { instance: uuid, reason });
    };
    if ((await powerStateOf(seam, guest)) !== powerState.running) {
      throw await failed(`Failed to set admin password. Instance ${uuid} is not running`);
    }
    try {
      await seam.driver.setAdminPassword(guest, password ?? generatePassword(seam));
    } catch (error) {
      if (passing(error) !== undefined) throw error;
      if (isFault(error, 'NotImplementedError')) {
        throw await failed('set_admin_password is not implemented by this driver.');
      }
      // The text could hold the password: the operator's log gets the kind of failure only.
      seam.log.error('cannot set a password', { instance: uuid, kind: (error as Error).name });
      throw await failed('error setting admin password');
    }
    await done();
  });
}
