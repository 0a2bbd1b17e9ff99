import type { RequestContext } from '@folsom/core';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { passing } from '@folsom/nova/passing';
import type { RebuildInstanceArgs } from '@folsom/nova/rpc/compute';
import type { InjectedFiles } from '@folsom/nova/rpc/wire';
import {
  type ComputeSeam,
  change,
  NotOurs,
  networked,
  nowOf,
  type Operation,
  onInstance,
  powerStateOf,
} from '../seam.ts';
import { runSteps, type Step } from '../steps.ts';
import { attachmentsOf } from '../volumes.ts';
import { settle } from './power.ts';

/** Makes the instance anew from an image; its addresses stay. */
export async function rebuildInstance(
  seam: ComputeSeam,
  context: RequestContext,
  args: RebuildInstanceArgs,
): Promise<void> {
  await onInstance(
    seam,
    context,
    args.instance.uuid,
    operation =>
      rebuild(seam, operation, {
        imageRef: args.image_ref,
        files: args.injected_files ?? [],
        password: args.new_pass,
      }),
    { errorState: true },
  );
}

export interface RebuildRequest {
  imageRef: string;
  files: InjectedFiles;
  password: string | null;
}

const REBUILDING: readonly (string | null)[] = [
  taskState.rebuilding,
  taskState.rebuildBlockDeviceMapping,
  taskState.rebuildSpawning,
];

/** The steps themselves; also what finishes a rebuild that a crash cut short. */
export async function rebuild(
  seam: ComputeSeam,
  operation: Operation,
  request: RebuildRequest,
): Promise<void> {
  const { context } = operation;
  if (!REBUILDING.includes(operation.guest.task_state)) throw new NotOurs('this rebuild is over');
  const image = await seam.images.show(context, request.imageRef);
  const extra = { image_name: image.name };
  await seam.notify.usage(context, operation.guest, 'rebuild.start', extra);
  const network = await seam.network.instanceNetworkInfo(context, networked(operation.guest));
  const volumes = await attachmentsOf(seam.db, operation.guest.uuid);
  let guest = operation.guest;
  const limit = 1_800_000;
  const steps: Step<null>[] = [
    {
      name: 'destroy',
      stalledMs: limit,
      run: async () => {
        guest = await change(
          seam,
          context,
          guest,
          { power_state: await powerStateOf(seam, guest), task_state: taskState.rebuilding },
          { expectedTaskState: REBUILDING, host: seam.host },
        );
        await seam.driver.destroy(guest, network, volumes);
      },
    },
    {
      name: 'prepare',
      run: async () => {
        guest = await change(
          seam,
          context,
          guest,
          { task_state: taskState.rebuildBlockDeviceMapping },
          { expectedTaskState: taskState.rebuilding },
        );
      },
    },
    {
      name: 'spawn',
      stalledMs: limit,
      run: async (_none, { signal, progress }) => {
        guest = await change(
          seam,
          context,
          guest,
          { task_state: taskState.rebuildSpawning },
          { expectedTaskState: taskState.rebuildBlockDeviceMapping },
        );
        await seam.driver.spawn(
          {
            context,
            guest,
            image,
            injectedFiles: request.files,
            adminPassword: request.password,
            network,
            volumes,
            signal,
          },
          async () => progress(),
        );
      },
    },
  ];
  await runSteps(steps, null, {
    operation: 'rebuild',
    instanceUuid: guest.uuid,
    clock: seam.world.clock,
    log: seam.log.child({ requestId: operation.context.requestId }),
    observe: seam.observe,
    signal: operation.signal,
    keep: error => passing(error) !== undefined,
  });
  const after = await settle(
    seam,
    { ...operation, guest },
    { vm_state: vmState.active, launched_at: nowOf(seam) },
    taskState.rebuildSpawning,
  );
  await seam.notify.usage(context, after, 'rebuild.end', extra, network);
}
