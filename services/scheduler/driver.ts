import type { Fault, RequestContext } from '@folsom/core';
import type { SchedulePrepResizeArgs, ScheduleRunArgs } from '@folsom/nova/rpc/scheduler';
import type { CreateVolumeArgs } from '@folsom/nova/rpc/volume';
import type { RequestSpec } from '@folsom/nova/rpc/wire';

export type VolumeJob = CreateVolumeArgs;

/** A way to choose hosts; Folsom's scheduler classes. */
export interface SchedulerDriver {
  /**
   * Sends every instance of the request to a host. An instance that finds none is reported through `failed`; what is
   * thrown concerns the whole request.
   */
  runInstance(
    context: RequestContext,
    args: ScheduleRunArgs,
    failed: (uuid: string, fault: Fault) => Promise<void>,
  ): Promise<void>;
  prepResize(context: RequestContext, args: SchedulePrepResizeArgs): Promise<void>;
  /** @throws Fault `NoValidHost` when the host must not run the request's image */
  checkRebuild(context: RequestContext, args: { host: string; request_spec: RequestSpec }): Promise<void>;
  createVolume(context: RequestContext, job: VolumeJob): Promise<void>;
}
