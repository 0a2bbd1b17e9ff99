import { attachedVolume, forgetVolume, volumeForOperator } from '@folsom/nova/volume-rescue';
import type { OperatorDeps } from './deps.ts';

/** Deletes a volume whatever its state says: its host does it, or the database alone where no host has it; not while it is in use. */
export async function remove(
  { db, config, clock, cast }: OperatorDeps,
  id: string,
  /** Is told before anything is done. */
  onFound: (what: 'nowhere' | 'in use' | 'on a host') => void,
): Promise<void> {
  const volume = await volumeForOperator(db, id);
  if (!volume.host) {
    onFound('nowhere');
    await forgetVolume(db, volume.id, clock.now());
  } else if (volume.status === 'in-use') {
    onFound('in use');
  } else {
    onFound('on a host');
    await cast(`${config.volume_topic}.${volume.host}`, {
      method: 'delete_volume',
      args: { volume_id: volume.id },
    });
  }
}

/** Tells the host of a volume's server to plug it again. False: no server has it. */
export async function reattach({ db, config, cast }: OperatorDeps, id: string): Promise<boolean> {
  const volume = await volumeForOperator(db, id);
  const attached = await attachedVolume(db, volume, config.instance_name_template);
  if (!attached) return false;
  await cast(`${config.compute_topic}.${attached.host}`, {
    method: 'attach_volume',
    args: { instance: attached.instance, volume_id: volume.id, mountpoint: volume.mountpoint },
    version: '2.0',
  });
  return true;
}
