import { isFault } from '@folsom/core';
import { powerState, taskState } from '@folsom/nova/instance-state';
import { passing } from '@folsom/nova/passing';
import { computeFault } from '../faults.ts';
import { type ComputeSeam, powerStateOf } from '../seam.ts';
import { hold, operation, type Work } from './operation.ts';

/** Folsom's alphabet: no characters that look alike. */
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export const generatePassword = (seam: ComputeSeam): string =>
  seam.world.random.text(seam.settings.password_length, ALPHABET);

interface Setting extends Work {
  password: string | null;
}

/** @throws Fault `InstancePasswordSetFailed` */
async function setPassword({ seam, guest, password }: Setting): Promise<void> {
  const refused = (reason: string) =>
    computeFault('InstancePasswordSetFailed', { instance: guest.uuid, reason });
  if ((await powerStateOf(seam, guest)) !== powerState.running) {
    throw refused(`Failed to set admin password. Instance ${guest.uuid} is not running`);
  }
  try {
    await seam.driver.setAdminPassword(guest, password ?? generatePassword(seam));
  } catch (error) {
    if (passing(error) !== undefined) throw error;
    if (isFault(error, 'NotImplementedError')) {
      throw refused('set_admin_password is not implemented by this driver.');
    }
    // The text could hold the password: the operator's log gets the kind of failure only.
    seam.log.error('cannot set a password', { instance: guest.uuid, kind: (error as Error).name });
    throw refused('error setting admin password');
  }
}

/** Sets the administrator's password inside a running guest, where the driver can. */
export const password = operation<Setting, { new_pass: string | null }>({
  name: 'password',
  methods: ['set_admin_password'],
  asked: [taskState.updatingPassword],
  carries: 'the password',
  errorState: false,
  steps: [
    { name: 'set', restart: 'undo', run: setPassword },
    { name: 'record', restart: 'undo', run: work => hold(work, { task_state: null }) },
  ],
  begin: (work, message) => ({ ...work, password: message?.new_pass ?? null }),
});
