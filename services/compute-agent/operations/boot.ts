import { assert, elevated, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { BUILDING, releaseIfMine } from '@folsom/nova/instance-claims';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { taskState, vmState } from '@folsom/nova/instance-state';
import { type InstanceChanges, tryUpdateInstance } from '@folsom/nova/instances';
import type { NetworkInfo } from '@folsom/nova/network-info';
import { passing } from '@folsom/nova/passing';
import type { RunInstanceArgs } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import type { Guest } from '../driver.ts';
import { computeFault } from '../faults.ts';
import {
  addFault,
  type ComputeSeam,
  change,
  guestOf,
  isPreempted,
  NotOurs,
  networked,
  nowOf,
  type Operation,
  onInstance,
  powerStateOf,
  Reported,
} from '../seam.ts';
import { runSteps, type Step } from '../steps.ts';
import { attachmentsOf } from '../volumes.ts';

/** State that the steps of a boot hand on. */
interface Boot {
  seam: ComputeSeam;
  context: RequestContext;
  args: RunInstanceArgs;
  guest: Guest;
  image: ImageWire | null;
  network: NetworkInfo;
  signal: AbortSignal;
  /** Whether the instance is this host's. */
  claimed: boolean;
  /** Whether an earlier run of this build was cut short. */
  resumed: boolean;
}

const GIGABYTE = 1024 ** 3;
/** A driver that shows nothing for so long has hung. */
const SPAWN_STALLED_MS = 1_800_000;

/** A change of the instance that holds only while this host builds it. */
const ours = async (boot: Boot, changes: InstanceChanges, from: readonly (string | null)[] = BUILDING) => {
  const { seam, context } = boot;
  boot.guest = await change(seam, context, boot.guest, changes, {
    host: seam.host,
    expectedVmState: vmState.building,
    expectedTaskState: from,
  });
};

const claim: Step<Boot> = {
  name: 'claim',
  run: async boot => {
    const { seam, args } = boot;
    const { uuid } = boot.guest;
    const claimed = await seam.resources.claim(boot.guest, args.filter_properties?.limits ?? {});
    boot.guest = await guestOf(seam, uuid);
    const { guest } = boot;
    // A build of this host that was cut short: its message came again, so it goes on from the beginning.
    const resumed =
      guest.host === seam.host && guest.vm_state === vmState.building && BUILDING.includes(guest.task_state);
    if (!claimed && !resumed) throw new NotOurs(`instance ${uuid} is another's to build, or wanted no more`);
    assert(guest.host === seam.host, 'what is built here is placed here');
    boot.claimed = true;
    boot.resumed = !claimed;
  },
};

const check: Step<Boot> = {
  name: 'check',
  run: async boot => {
    const { seam } = boot;
    await ours(boot, { task_state: null });
    if ((await seam.driver.listGuests()).includes(boot.guest.name)) {
      if (!boot.resumed) {
        throw novaFault('Invalid', {}, { message: 'Instance has already been created' });
      }
      await seam.driver.destroy(boot.guest, await cachedNetworkInfo(seam.db, boot.guest.uuid));
    }
    boot.image = await seam.images.show(boot.context, boot.guest.image_ref);
    const allowed = boot.guest.flavor.root_gb * GIGABYTE;
    if (allowed > 0 && boot.image.size > allowed) throw computeFault('ImageTooLarge');
    const extra = { image_name: boot.image.name };
    await seam.notify.usage(boot.context, boot.guest, 'create.start', extra);
  },
};

const network: Step<Boot> = {
  name: 'network',
  run: async boot => {
    const { seam, context } = boot;
    await ours(boot, { task_state: taskState.networking }, [null]);
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
    await boot.seam.network.deallocateForInstance(
      boot.context,
      networked(boot.guest, boot.seam.host),
      boot.seam.host,
    );
  },
};

const blockDevices: Step<Boot> = {
  name: 'block_devices',
  run: boot => ours(boot, { task_state: taskState.blockDeviceMapping }, [taskState.networking]),
};

const spawn: Step<Boot> = {
  name: 'spawn',
  stalledMs: SPAWN_STALLED_MS,
  run: async (boot, { signal, progress }) => {
    const { seam } = boot;
    await ours(boot, { task_state: taskState.spawning }, [taskState.blockDeviceMapping]);
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
      async part => {
        progress();
        await seam.observe?.('boot', `spawn:${part}`, boot.guest.uuid);
      },
    );
  },
  undo: async boot => {
    await boot.seam.driver.destroy(boot.guest, boot.network);
  },
};

const activate: Step<Boot> = {
  name: 'activate',
  run: async boot => {
    await ours(
      boot,
      {
        power_state: await powerStateOf(boot.seam, boot.guest),
        vm_state: vmState.active,
        task_state: null,
        launched_at: nowOf(boot.seam),
        ...deviceNames(boot),
        ...accessAddresses(boot),
      },
      [taskState.spawning],
    );
  },
};

/**
 * The boot of an instance, in order. The instance belongs to this host from the claim on; what the steps took is given
 * back before the instance is.
 */
export const bootSteps: readonly Step<Boot>[] = [claim, check, network, blockDevices, spawn, activate];

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
  const state: Boot = { seam, ...operation, args, image: null, network: [], claimed: false, resumed: false };
  try {
    await runSteps(bootSteps, state, {
      operation: 'boot',
      instanceUuid: operation.guest.uuid,
      clock: seam.world.clock,
      log: seam.log.child({ requestId: operation.context.requestId }),
      observe: seam.observe,
      signal: operation.signal,
      keep: error => error instanceof NotOurs || passing(error) !== undefined,
    });
  } catch (error) {
    if (passing(error) !== undefined) throw error;
    // The deletion gives everything back by itself.
    if (isPreempted(error)) throw error;
    if (await giveUpBuild(seam, operation.context, args, state.claimed, error)) return;
    throw new Reported(error);
  }
  seam.resources.changed();
  const extra = { image_name: state.image?.name ?? null };
  await seam.notify.usage(operation.context, state.guest, 'create.end', extra, state.network);
}

/**
 * Ends a build that failed here, in one transaction: back to the scheduler if it said that it wants another try (then
 * true), else into ERROR. Only while the instance is this host's, or nobody's yet.
 */
async function giveUpBuild(
  seam: ComputeSeam,
  context: RequestContext,
  args: RunInstanceArgs,
  claimed: boolean,
  error: unknown,
): Promise<boolean> {
  const { uuid } = args.instance;
  const retry = args.filter_properties?.retry;
  const elsewhere = Boolean(retry) && args.request_spec !== null;
  const done = await seam.outbox.transaction(async (trx, send) => {
    const now = nowOf(seam);
    const becomes = elsewhere
      ? { task_state: taskState.scheduling }
      : { vm_state: vmState.error, task_state: null };
    const mine = claimed
      ? await releaseIfMine(trx, uuid, seam.host, becomes, now)
      : await tryUpdateInstance(trx, uuid, becomes, now, {
          host: null,
          expectedVmState: vmState.building,
          expectedTaskState: taskState.scheduling,
        });
    if (!mine) return false;
    await addFault(seam, uuid, error, trx);
    if (elsewhere) {
      await schedulerContract.client(send).run_instance(context, {
        request_spec: { ...args.request_spec!, instance_uuids: [uuid] },
        admin_password: args.admin_password,
        injected_files: args.injected_files,
        requested_networks: args.requested_networks,
        is_first_time: args.is_first_time,
        filter_properties: args.filter_properties ?? {},
      });
    }
    return true;
  });
  seam.resources.changed();
  if (!done) {
    seam.log.info('a build that failed here is not ours any more', { instance: uuid, error });
    return true;
  }
  const fields = { instance: uuid, attempt: retry?.num_attempts, error };
  if (elsewhere) seam.log.warn('build failed here, trying another host', fields);
  return elsewhere;
}

/**
 * The message of a build that failed for a passing cause is given up: everything it took here is given back, and the
 * instance goes to another host, or into ERROR.
 */
export async function abandonBuild(
  seam: ComputeSeam,
  context: RequestContext,
  args: RunInstanceArgs,
  error: unknown,
): Promise<void> {
  const { uuid } = args.instance;
  await seam.inTurn(uuid, async () => {
    const guest = await guestOf(seam, uuid);
    const mine = guest.host === seam.host && guest.vm_state === vmState.building;
    if (mine) await giveBackBuild(seam, elevated(context), guest);
    await giveUpBuild(seam, elevated(context), args, mine, error);
  });
}

/** Takes away what a build that was cut short has on this host and in its networks. */
export async function giveBackBuild(seam: ComputeSeam, context: RequestContext, guest: Guest): Promise<void> {
  await seam.driver.destroy(guest, await cachedNetworkInfo(seam.db, guest.uuid));
  await seam.network.deallocateForInstance(context, networked(guest, seam.host), seam.host);
}
