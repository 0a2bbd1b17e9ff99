import type { RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { RunInstanceArgs } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Guest } from './driver.ts';
import { computeFault } from './faults.ts';
import {
  addFault,
  type ComputeSeam,
  change,
  isPreempted,
  networked,
  nowOf,
  type Operation,
  onInstance,
  powerStateOf,
} from './seam.ts';
import { runSteps, type Step } from './steps.ts';
import { attachmentsOf } from './volumes.ts';

/** State that the steps of a boot hand on. */
interface Boot {
  seam: ComputeSeam;
  context: RequestContext;
  args: RunInstanceArgs;
  guest: Guest;
  image: ImageWire | null;
  network: NetworkInfo;
  signal: AbortSignal;
}

const GIGABYTE = 1024 ** 3;
/** Time limits of the steps, in milliseconds. */
const LIMITS = {
  check: 60_000,
  claim: 60_000,
  network: 120_000,
  prepare: 60_000,
  spawn: 1_800_000,
  finish: 60_000,
};

const check: Step<Boot> = {
  name: 'check',
  timeoutMs: LIMITS.check,
  run: async boot => {
    const { seam, guest } = boot;
    // First of all: a message that comes twice must not touch a build that is under way or done.
    boot.guest = await change(
      seam,
      boot.context,
      guest,
      { vm_state: vmState.building, task_state: null },
      { expectedTaskState: [taskState.scheduling, null], expectedVmState: vmState.building },
    );
    if ((await seam.driver.listGuests()).includes(guest.name)) {
      throw novaFault('Invalid', {}, { message: 'Instance has already been created' });
    }
    boot.image = await seam.images.show(boot.context, guest.image_ref);
    const allowed = guest.flavor.root_gb * GIGABYTE;
    if (allowed > 0 && boot.image.size > allowed) throw computeFault('ImageTooLarge');
    const extra = { image_name: boot.image.name };
    await seam.notify.usage(boot.context, boot.guest, 'create.start', extra);
  },
};

const claim: Step<Boot> = {
  name: 'claim',
  timeoutMs: LIMITS.claim,
  run: async boot => {
    await boot.seam.resources.claim(boot.guest, boot.args.filter_properties?.limits ?? {});
  },
  undo: async boot => {
    // From here on another host may have it; only what is still ours is given up.
    await boot.seam.db
      .knex('instances')
      .where({ uuid: boot.guest.uuid, host: boot.seam.host, deleted: 0 })
      .whereNot('vm_state', vmState.active)
      .where(query => query.whereNull('task_state').orWhereNot('task_state', taskState.deleting))
      .update({ host: null });
    boot.seam.resources.changed();
  },
};

const network: Step<Boot> = {
  name: 'network',
  timeoutMs: LIMITS.network,
  run: async boot => {
    const { seam, context } = boot;
    boot.guest = await change(
      seam,
      context,
      boot.guest,
      { vm_state: vmState.building, task_state: taskState.networking },
      { expectedTaskState: null },
    );
    const vpn = boot.guest.image_ref === seam.settings.vpn_image_id;
    const asked = boot.args.requested_networks ?? null;
    boot.network = await seam.network.allocateForInstance(
      context,
      networked(boot.guest, seam.host),
      asked,
      vpn,
    );
  },
  undo: async boot => {
    await boot.seam.network.deallocateForInstance(boot.context, networked(boot.guest, boot.seam.host));
  },
};

const blockDevices: Step<Boot> = {
  name: 'block_devices',
  timeoutMs: LIMITS.prepare,
  run: async boot => {
    boot.guest = await change(
      boot.seam,
      boot.context,
      boot.guest,
      { vm_state: vmState.building, task_state: taskState.blockDeviceMapping },
      { expectedTaskState: taskState.networking },
    );
  },
};

const spawn: Step<Boot> = {
  name: 'spawn',
  timeoutMs: LIMITS.spawn,
  run: async (boot, signal) => {
    const { seam } = boot;
    boot.guest = await change(
      seam,
      boot.context,
      boot.guest,
      { vm_state: vmState.building, task_state: taskState.spawning },
      { expectedTaskState: taskState.blockDeviceMapping },
    );
    await seam.driver.spawn(
      {
        context: boot.context,
        guest: boot.guest,
        image: boot.image!,
        injectedFiles: boot.args.injected_files ?? [],
        adminPassword: boot.args.admin_password,
        network: boot.network,
        volumes: await attachmentsOf(seam.db, boot.guest.uuid),
        signal,
      },
      async part => seam.observe?.('boot', `spawn:${part}`, boot.guest.uuid),
    );
  },
  undo: async boot => {
    await boot.seam.driver.destroy(boot.guest, boot.network);
  },
};

const activate: Step<Boot> = {
  name: 'activate',
  timeoutMs: LIMITS.finish,
  run: async boot => {
    const { seam } = boot;
    boot.guest = await change(
      seam,
      boot.context,
      boot.guest,
      {
        power_state: await powerStateOf(seam, boot.guest),
        vm_state: vmState.active,
        task_state: null,
        launched_at: nowOf(seam),
        ...deviceNames(boot),
        ...accessAddresses(boot),
      },
      { expectedTaskState: taskState.spawning },
    );
  },
};

/** The boot of an instance, in order; every one but the last can be taken back. */
export const bootSteps: readonly Step<Boot>[] = [check, claim, network, blockDevices, spawn, activate];

/** What the guest's disks are called, where the user named none. */
function deviceNames({ seam, guest }: Boot) {
  const root = seam.driver.rootDevice;
  if (root === null || guest.root_device_name !== null) return {};
  const letter = (index: number) => root.replace(/a$/, String.fromCharCode(97 + index));
  const ephemeral = guest.flavor.ephemeral_gb > 0;
  return {
    root_device_name: root,
    ...(ephemeral ? { default_ephemeral_device: letter(1) } : {}),
    ...(guest.flavor.swap > 0 ? { default_swap_device: letter(ephemeral ? 2 : 1) } : {}),
  };
}

/** access_ip columns from the network that the configuration names, unless the user gave some. */
function accessAddresses(boot: Boot): { access_ip_v4?: string; access_ip_v6?: string } {
  const label = boot.seam.settings.default_access_ip_network_name;
  if (!label || !boot.args.is_first_time || boot.guest.access_ip_v4 || boot.guest.access_ip_v6) return {};
  const ips = boot.network
    .filter(vif => vif.network?.label === label)
    .flatMap(vif => vif.network?.subnets.flatMap(subnet => subnet.ips) ?? []);
  const v4 = ips.filter(ip => ip.version === 4).at(-1)?.address;
  const v6 = ips.filter(ip => ip.version === 6).at(-1)?.address;
  return { ...(v4 ? { access_ip_v4: v4 } : {}), ...(v6 ? { access_ip_v6: v6 } : {}) };
}

/** Builds an instance. A failure goes to another host where the scheduler allows it, else the instance is in ERROR. */
export async function runInstance(
  seam: ComputeSeam,
  context: RequestContext,
  args: RunInstanceArgs,
): Promise<void> {
  await onInstance(seam, context, args.instance.uuid, operation => boot(seam, operation, args), {
    errorState: true,
  });
}

async function boot(seam: ComputeSeam, operation: Operation, args: RunInstanceArgs): Promise<void> {
  const state: Boot = { seam, ...operation, args, image: null, network: [] };
  try {
    await runSteps(bootSteps, state, {
      operation: 'boot',
      instanceUuid: operation.guest.uuid,
      clock: seam.world.clock,
      log: seam.log.child({ requestId: operation.context.requestId }),
      observe: seam.observe,
      signal: operation.signal,
    });
  } catch (error) {
    if (isPreempted(error)) throw error;
    if (await reschedule(seam, operation, args, error)) return;
    throw error;
  }
  seam.resources.changed();
  const extra = { image_name: state.image?.name ?? null };
  await seam.notify.usage(operation.context, state.guest, 'create.end', extra, state.network);
}

/** Hands a failed build back to the scheduler, if it said that it wants another try. */
async function reschedule(
  seam: ComputeSeam,
  operation: Operation,
  args: RunInstanceArgs,
  error: unknown,
): Promise<boolean> {
  const retry = args.filter_properties?.retry;
  if (!retry || !args.request_spec) return false;
  const uuid = operation.guest.uuid;
  const ours = await tryUpdateInstance(
    seam.db.knex,
    uuid,
    { task_state: taskState.scheduling },
    nowOf(seam),
    {
      expectedVmState: vmState.building,
      expectedTaskState: [
        null,
        taskState.scheduling,
        taskState.networking,
        taskState.blockDeviceMapping,
        taskState.spawning,
      ],
    },
  );
  if (!ours) return false;
  seam.log.warn('build failed here, trying another host', {
    instance: uuid,
    attempt: retry.num_attempts,
    error,
  });
  try {
    await schedulerContract.client(seam.bus).run_instance(operation.context, {
      request_spec: { ...args.request_spec, instance_uuids: [uuid] },
      admin_password: args.admin_password,
      injected_files: args.injected_files,
      requested_networks: args.requested_networks,
      is_first_time: args.is_first_time,
      filter_properties: args.filter_properties ?? {},
    });
  } catch (failure) {
    seam.log.error('cannot reach the scheduler', { instance: uuid, error: failure });
    return false;
  }
  await addFault(seam, uuid, error);
  return true;
}
