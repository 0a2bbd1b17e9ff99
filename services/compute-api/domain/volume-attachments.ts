import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { Sql } from '@folsom/nova/rows';
import { attachStatus } from '@folsom/nova/volume-state';
import { tryMoveVolume, type VolumeRow, volumeById } from '@folsom/nova/volumes';
import type { Deps } from './deps.ts';
import { authorize } from './policy.ts';
import { volumeTarget } from './volumes.ts';

/**
 * Keeps a volume for one who is about to attach it: of two at the same moment one gets it. `trx` is the transaction that
 * tells the instance's host. For whom it is kept stands in its row: nobody else's work takes it for its own.
 *
 * @throws Fault `InvalidVolume`
 */
export async function reserveVolume(
  deps: Deps,
  context: RequestContext,
  trx: Sql,
  volume: Pick<VolumeRow, 'id' | 'project_id' | 'user_id'>,
  to: { instanceUuid: string; mountpoint: string },
): Promise<void> {
  authorize(deps, context, 'volume:check_attach', volumeTarget(volume));
  authorize(deps, context, 'volume:reserve_volume', volumeTarget(volume));
  const kept = { instance_uuid: to.instanceUuid, mountpoint: to.mountpoint };
  if (await tryMoveVolume(trx, volume.id, 'reserve', deps.clock.now(), kept)) return;
  const { status, attach_status } = await volumeById(trx, volume.id);
  const attached = status === 'available' && attach_status === attachStatus.attached;
  throw novaFault('InvalidVolume', { reason: attached ? 'already attached' : 'status must be available' });
}

/**
 * Begins to take a volume from its instance; `trx` as for {@link reserveVolume}.
 *
 * @throws Fault `InvalidVolume`
 */
export async function beginDetaching(
  deps: Deps,
  context: RequestContext,
  trx: Sql,
  volume: Pick<VolumeRow, 'id' | 'project_id' | 'user_id'>,
): Promise<void> {
  authorize(deps, context, 'volume:check_detach', volumeTarget(volume));
  authorize(deps, context, 'volume:begin_detaching', volumeTarget(volume));
  if (await tryMoveVolume(trx, volume.id, 'beginDetaching', deps.clock.now())) return;
  const { status } = await volumeById(trx, volume.id);
  throw novaFault('InvalidVolume', {
    reason: status === 'available' ? 'already detached' : `status is ${status}`,
  });
}
