import type { RequestContext } from '@folsom/core';
import { type InstanceRecord, instanceRecord } from '@folsom/nova/instance-records';
import type { Deps } from '../deps.ts';

/** Lets a floating address lead to an instance, away from another one where it led there. */
export async function bindFloatingIp(
  deps: Deps,
  context: RequestContext,
  instance: InstanceRecord,
  { floating, fixed }: { floating: string; fixed: string },
): Promise<void> {
  const before = await deps.network.client.associate_floating_ip(context, {
    floating_address: floating,
    fixed_address: fixed,
  });
  await renewNetwork(deps, context, instance);
  if (before !== null && before !== instance.uuid) {
    await renewNetwork(deps, context, await instanceRecord(deps.db.knex, before));
  }
}

/** Lets a floating address lead nowhere. */
export async function unbindFloatingIp(deps: Deps, context: RequestContext, address: string): Promise<void> {
  const { client } = deps.network;
  const uuid = await client.get_instance_id_by_floating_address(context, { address });
  await client.disassociate_floating_ip(context, { address });
  if (uuid !== null) await renewNetwork(deps, context, await instanceRecord(deps.db.knex, uuid));
}

/** What servers' views show is the network as it was last described. */
async function renewNetwork(deps: Deps, context: RequestContext, instance: InstanceRecord): Promise<void> {
  const { id, uuid, project_id, host, flavor } = instance;
  await deps.network.instanceNetworkInfo(context, {
    id,
    uuid,
    project_id,
    host,
    rxtx_factor: flavor.rxtx_factor,
  });
}
