import { assert, elevated, must, type RequestContext } from '@folsom/core';
import { blockDevicesOf, virtualDevicesOf } from '@folsom/nova/block-devices';
import { deviceLetters } from '@folsom/nova/device-names';
import { novaFault } from '@folsom/nova/faults';
import { BUILDING, releaseIfMine } from '@folsom/nova/instance-claims';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import { powerState, taskState, vmState } from '@folsom/nova/instance-state';
import { tryUpdateInstance } from '@folsom/nova/instances';
import type { NetworkInfo } from '@folsom/nova/network-info';
import type { RunInstanceArgs } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { bootVolumes } from '../boot-volumes.ts';
import { computeFault } from '../faults.ts';
import {
  addFault,
  type ComputeSeam,
  guestOf,
  NotOurs,
  networked,
  nowOf,
  powerStateOf,
  rowAgain,
} from '../seam.ts';
import type { Step } from '../steps.ts';
import { attachmentsOf, giveVolumesBack } from '../volumes.ts';
import { hold, operation, STALLED_MS, type Work } from './operation.ts';

/** State that the steps of a boot hand on. */
interface Boot extends Work {
  /** Undefined when a restart takes it up without its message. */
  args: RunInstanceArgs | undefined;
  image: ImageWire | null;
  network: NetworkInfo;
  /** Whether the instance is this host's. */
  claimed: boolean;
  /** Whether an earlier run of this build was cut short. */
  resumed: boolean;
}

const GIGABYTE = 1024 ** 3;

/** The message's part of a build, in steps that run only with it. */
const told = ({ args }: Boot): RunInstanceArgs => {
  assert(args !== undefined, 'a build is begun by its message');
  return args;
};

const claim: Step<Boot> = {
  name: 'claim',
  restart: 'error',
  run: async boot => {
    const { seam } = boot;
    const { uuid } = boot.guest;
    const claimed = await seam.resources.claim(boot.guest, told(boot).filter_properties?.limits ?? {});
    boot.guest = claimed
      ? { ...boot.guest, host: seam.host, launched_on: seam.host, task_state: null }
      : await rowAgain(seam, boot.guest);
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
  task: null,
  reads: 'row',
  restart: 'error',
  run: async boot => {
    const { seam } = boot;
    if ((await seam.driver.listGuests()).includes(boot.guest.name)) {
      if (!boot.resumed) {
        throw novaFault('Invalid', {}, { message: 'Instance has already been created' });
      }
      const left = await attachmentsOf(seam.db, boot.guest.uuid);
      await seam.driver.destroy(boot.guest, await cachedNetworkInfo(seam.db, boot.guest.uuid), left);
    }
    boot.image = await seam.images.show(boot.context, boot.guest.image_ref);
    const allowed = boot.guest.flavor.root_gb * GIGABYTE;
    if (allowed > 0 && boot.image.size > allowed) throw computeFault('ImageTooLarge');
    const extra = { image_name: boot.image.name };
    await seam.notify.usage(boot.context, boot.guest, 'create.start', extra);
  },
  // A start gives filters to every guest that is placed here; a guest of that name may be another's where it only failed.
  undo: async ({ seam, guest, network, args }) =>
    args === undefined
      ? seam.driver.destroy(guest, network, await attachmentsOf(seam.db, guest.uuid))
      : undefined,
};

const network: Step<Boot> = {
  name: 'network',
  task: taskState.networking,
  reads: 'row',
  restart: 'error',
  run: async boot => {
    const { seam, context } = boot;
    const vpn = boot.guest.image_ref === seam.settings.vpn_image_id;
    const asked = told(boot).requested_networks ?? null;
    boot.network = await seam.network.allocateForInstance(
      context,
      networked(boot.guest, seam.host),
      asked,
      vpn,
    );
  },
  undo: ({ seam, context, guest }) =>
    seam.network.deallocateForInstance(context, networked(guest, seam.host), seam.host),
};

const blockDevices: Step<Boot> = {
  name: 'block_devices',
  task: taskState.blockDeviceMapping,
  reads: 'row',
  restart: 'error',
  stalledMs: STALLED_MS,
  run: ({ seam, context, guest }, { signal, progress }) =>
    bootVolumes({ seam, context, guest, signal, progress }),
  undo: ({ seam, context, guest }) => giveVolumesBack(seam, context, guest),
};

const spawn: Step<Boot> = {
  name: 'spawn',
  task: taskState.spawning,
  restart: 'error',
  stalledMs: STALLED_MS,
  run: async (boot, { signal, progress }) => {
    const { seam } = boot;
    const args = told(boot);
    await seam.driver.spawn(
      {
        context: boot.context,
        guest: boot.guest,
        image: must(boot.image, 'image is there'),
        injectedFiles: args.injected_files ?? [],
        adminPassword: args.admin_password,
        network: boot.network,
        volumes: await attachmentsOf(seam.db, boot.guest.uuid),
        virtualDevices: await virtualDevicesOf(seam.db.knex, boot.guest.uuid),
        signal,
      },
      async part => {
        progress();
        await seam.observe?.('boot', `spawn:${part}`, boot.guest.uuid);
      },
    );
  },
  undo: async ({ seam, guest, network }) =>
    seam.driver.destroy(guest, network, await attachmentsOf(seam.db, guest.uuid)),
  found: async ({ seam, guest, network }) => {
    if ((await powerStateOf(seam, guest)) !== powerState.running) return false;
    await seam.driver.plug(guest, network);
    return true;
  },
};

const activate: Step<Boot> = {
  name: 'activate',
  restart: 'error',
  run: async boot =>
    hold(
      boot,
      {
        power_state: await powerStateOf(boot.seam, boot.guest),
        vm_state: vmState.active,
        task_state: null,
        launched_at: nowOf(boot.seam),
        ...(await deviceNames(boot)),
        ...accessAddresses(boot),
      },
      'row',
    ),
};

/**
 * The boot of an instance. It belongs to this host from the claim on; what the steps took is given back before the
 * instance is.
 */
export const boot = operation<Boot, RunInstanceArgs>({
  name: 'boot',
  methods: ['run_instance'],
  asked: [taskState.scheduling],
  carries: "the user's files, password and networks",
  errorState: true,
  steps: [claim, check, network, blockDevices, spawn, activate],
  admits: (seam, guest) => guest.host === null || guest.host === seam.host,
  begin: async (work, args) => ({
    ...work,
    args,
    image: null,
    network: args === undefined ? await cachedNetworkInfo(work.seam.db, work.guest.uuid) : [],
    // Without its message it is found on this host, and so it is this host's.
    claimed: args === undefined,
    resumed: false,
  }),
  async done({ seam, context, guest, image, network }) {
    seam.resources.changed();
    await seam.notify.usage(context, guest, 'create.end', { image_name: image?.name ?? null }, network);
  },
  ended: giveUpBuild,
});

/** What the guest's disks are called, where the user named none; a disk whose place a volume has is not there. */
async function deviceNames({ seam, guest }: Boot) {
  const root = seam.driver.rootDevice;
  if (root === null || guest.root_device_name !== null) return {};
  const rows = await blockDevicesOf(seam.db.knex, guest.uuid);
  const taken = new Set(rows.map(row => deviceLetters(row.device_name)));
  const virtual = new Set(rows.map(row => row.virtual_name));
  const place = (wanted: boolean, name: string, letter: string) =>
    wanted && !virtual.has(name) && !taken.has(letter) ? root.replace(/a$/, letter) : null;
  const ephemeral = guest.flavor.ephemeral_gb > 0;
  return {
    root_device_name: root,
    default_ephemeral_device: place(ephemeral, 'ephemeral0', 'b'),
    default_swap_device: place(guest.flavor.swap > 0, 'swap', ephemeral ? 'c' : 'b'),
  };
}

/** access_ip columns from the network that the configuration names, unless the user gave some. */
function accessAddresses(boot: Boot): { access_ip_v4?: string; access_ip_v6?: string } {
  const label = boot.seam.settings.default_access_ip_network_name;
  if (!label || !boot.args?.is_first_time || boot.guest.access_ip_v4 || boot.guest.access_ip_v6) return {};
  const ips = boot.network
    .filter(vif => vif.network?.label === label)
    .flatMap(vif => vif.network?.subnets.flatMap(subnet => subnet.ips) ?? []);
  const v4 = ips.filter(ip => ip.version === 4).at(-1)?.address;
  const v6 = ips.filter(ip => ip.version === 6).at(-1)?.address;
  return { ...(v4 ? { access_ip_v4: v4 } : {}), ...(v6 ? { access_ip_v6: v6 } : {}) };
}

type GivenUp = Pick<Boot, 'seam' | 'context' | 'args' | 'claimed'> & { guest: { uuid: string } };

/**
 * Ends a build that failed here, in one transaction: back to the scheduler if it said that it wants another try (then
 * true), else into ERROR. Only while the instance is this host's, or nobody's yet.
 */
async function giveUpBuild(state: GivenUp, error: unknown): Promise<boolean> {
  const { seam, context, args, claimed } = state;
  const { uuid } = state.guest;
  const retry = args?.filter_properties?.retry;
  const elsewhere = args !== undefined && Boolean(retry) && args.request_spec !== null;
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
        request_spec: { ...must(args.request_spec, 'request_spec is there'), instance_uuids: [uuid] },
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
  const admin = elevated(context);
  await seam.inTurn(uuid, async () => {
    const guest = await guestOf(seam, uuid);
    const mine = guest.host === seam.host && guest.vm_state === vmState.building;
    if (mine) {
      const volumes = await attachmentsOf(seam.db, uuid);
      await seam.driver.destroy(guest, await cachedNetworkInfo(seam.db, uuid), volumes);
      await giveVolumesBack(seam, admin, guest);
      await seam.network.deallocateForInstance(admin, networked(guest, seam.host), seam.host);
    }
    await giveUpBuild({ seam, context: admin, args, claimed: mine, guest }, error);
  });
}
