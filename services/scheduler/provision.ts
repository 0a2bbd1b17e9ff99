import { elevated, type RequestContext, type World } from '@folsom/core';
import { placeInstance } from '@folsom/nova/instance-claims';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import type { Outbox } from '@folsom/nova/outbox';
import { computeContract } from '@folsom/nova/rpc/compute';
import type { SchedulePrepResizeArgs, ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, RequestSpec } from '@folsom/nova/rpc/wire';
import type { Bus } from '@folsom/rpc';

export interface ProvisionSeam {
  bus: Bus;
  outbox: Outbox;
  world: World;
  instanceNameTemplate: string;
}

export interface Placement {
  host: string;
  uuid: string;
  spec: RequestSpec;
  properties: FilterProperties;
}

/**
 * Hands an instance to the nova-compute of its host: the decision and the message are written in one transaction, so
 * that of two schedulers with the same message one sends.
 */
export async function provision(
  seam: ProvisionSeam,
  context: RequestContext,
  args: ScheduleRunArgs,
  { host, uuid, spec, properties }: Placement,
): Promise<void> {
  const { outbox, world } = seam;
  const attempt = properties.retry?.num_attempts ?? 1;
  const placed = await outbox.transaction(async (trx, send) => {
    if (!(await placeInstance(trx, { uuid, attempt, host }, world.clock.now()))) return false;
    const record = await instanceRecord(trx, uuid);
    await computeContract.client(send).run_instance(
      elevated(context),
      {
        instance: instanceWire(record, seam.instanceNameTemplate),
        request_spec: spec,
        filter_properties: properties,
        requested_networks: args.requested_networks,
        injected_files: args.injected_files,
        admin_password: args.admin_password,
        is_first_time: args.is_first_time,
      },
      { host },
    );
    return true;
  });
  if (placed) return;
  // Deleted in the meantime, or this message has come before, here or to another scheduler.
  world.log.info('an instance no longer waits for a host', {
    instance: uuid,
    requestId: context.requestId,
  });
}

/** Asks the host to prepare itself for an instance that moves to it. */
export const provisionResize = (
  { bus }: ProvisionSeam,
  context: RequestContext,
  args: SchedulePrepResizeArgs,
  host: string,
): Promise<void> =>
  computeContract.client(bus).prep_resize(
    context,
    {
      instance: args.instance,
      instance_type: args.instance_type,
      image: args.image,
      reservations: args.reservations,
    },
    { host },
  );
