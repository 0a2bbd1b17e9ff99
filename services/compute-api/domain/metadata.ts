import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { InstanceRecord } from '@folsom/nova/instance-records';
import { checkAction } from '@folsom/nova/instance-state';
import { metadataOf, replaceMetadata } from '@folsom/nova/instances';
import type { MetadataDiff } from '@folsom/nova/rpc/compute';
import { hostOf } from './actions.ts';
import type { Deps } from './deps.ts';
import { getInstance, targetOf, wireOf } from './instances.ts';
import { authorize } from './policy.ts';
import { checkMetadata, limitsFor } from './quota-checks.ts';

export const metadataFrom = (instance: InstanceRecord): Record<string, string> =>
  Object.fromEntries(instance.metadata.map(item => [item.key, item.value]));

/**
 * Sets metadata; `replace` also removes what is not named. Two changes at the same moment both count.
 *
 * @throws Fault `MetadataLimitExceeded`, `InvalidMetadata`, `InvalidMetadataSize`
 */
export async function updateMetadata(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  metadata: Record<string, string>,
  replace: boolean,
): Promise<Record<string, string>> {
  authorize(deps, context, 'compute:update_instance_metadata', targetOf(instance));
  checkAction('update_instance_metadata', instance, context);
  const limits = await limitsFor(deps, context);
  const now = deps.clock.now();
  const [before, wanted] = await deps.db.transaction(async trx => {
    await trx('instances').where({ uuid: instance.uuid }).forUpdate().first('id');
    const present = await metadataOf(trx, instance.uuid);
    const next = replace ? metadata : { ...present, ...metadata };
    checkMetadata(limits, next);
    await replaceMetadata(trx, instance.uuid, next, now);
    return [present, next];
  });
  await tellHost(deps, context, instance, diffOf(before, wanted));
  return wanted;
}

/** @throws Fault `InstanceMetadataNotFound` */
export async function deleteMetadata(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  key: string,
): Promise<void> {
  authorize(deps, context, 'compute:delete_instance_metadata', targetOf(instance));
  if (!Object.hasOwn(metadataFrom(instance), key)) {
    throw novaFault('InstanceMetadataNotFound', { instance_uuid: instance.uuid, metadata_key: key });
  }
  checkAction('delete_instance_metadata', instance, context);
  const now = deps.clock.now();
  await deps.db.transaction(async trx => {
    await trx('instances').where({ uuid: instance.uuid }).forUpdate().first('id');
    const { [key]: _gone, ...rest } = await metadataOf(trx, instance.uuid);
    await replaceMetadata(trx, instance.uuid, rest, now);
  });
  await tellHost(deps, context, instance, { [key]: ['-'] });
}

async function tellHost(deps: Deps, context: RequestContext, instance: InstanceRecord, diff: MetadataDiff) {
  if (instance.host === null || Object.keys(diff).length === 0) return;
  const fresh = await getInstance(deps, context, instance.uuid);
  await deps.compute.change_instance_metadata(
    context,
    { instance: wireOf(deps, fresh), diff },
    hostOf(fresh),
  );
}

function diffOf(before: Record<string, string>, after: Record<string, string>): MetadataDiff {
  const diff: MetadataDiff = {};
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) diff[key] = ['-'];
  for (const [key, value] of Object.entries(after)) if (before[key] !== value) diff[key] = ['+', value];
  return diff;
}
