import { elevated, type RequestContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { instanceRecord, instanceWire } from '@folsom/nova/instance-records';
import { taskState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import { computeContract } from '@folsom/nova/rpc/compute';
import type { SchedulePrepResizeArgs, ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import type { FilterProperties, RequestSpec } from '@folsom/nova/rpc/wire';
import type { Bus } from '@folsom/rpc';

export interface ProvisionSeam {
  db: Database;
  bus: Bus;
  world: World;
  instanceNameTemplate: string;
}

export interface Placement {
  host: string;
  uuid: string;
  spec: RequestSpec;
  properties: FilterProperties;
}

/** Hands an instance to the nova-compute of its host. */
export async function provision(
  seam: ProvisionSeam,
  context: RequestContext,
  args: ScheduleRunArgs,
  { host, uuid, spec, properties }: Placement,
): Promise<void> {
  const { db, bus, world } = seam;
  const now = world.clock.now();
  const taken = await tryUpdateInstance(db.knex, uuid, { host: null, scheduled_at: now }, now, {
    expectedTaskState: taskState.scheduling,
  });
  if (!taken) {
    // Deleted in the meantime, or this message has come before and a host has taken it.
    world.log.info('an instance no longer waits for a host', {
      instance: uuid,
      requestId: context.requestId,
    });
    return;
  }
  const record = await instanceRecord(db.knex, uuid);
  await computeContract.client(bus).run_instance(
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
