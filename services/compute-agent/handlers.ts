import { elevated, type RequestContext } from '@folsom/core';
import { RESERVED, reserveBlockDevice } from '@folsom/nova/block-devices';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import type { computeContract } from '@folsom/nova/rpc/compute';
import type { Handlers } from '@folsom/rpc';
import { consoleOutput, validateConsolePort, vncConsole } from './console.ts';
import type { Guest } from './driver.ts';
import { withFailuresTold } from './failure-notices.ts';
import { terminateInstance } from './operations/delete.ts';
import {
  checkAsDestination,
  checkAsSource,
  finishArrival,
  prepareArrival,
  undoArrival,
} from './operations/live-arrival.ts';
import { perform } from './operations/operation.ts';
import { operations } from './operations/table.ts';
import { type ComputeSeam, guestOf, networked, onInstance, withFault } from './seam.ts';
import { removeVolumeConnection } from './volumes.ts';

type Methods = typeof computeContract.methods;
type All = Handlers<Methods>;
type Asked = { instance: { uuid: string } };

/** Messages that ask for an operation of the table. */
function asking(seam: ComputeSeam): Partial<All> {
  const out: Record<string, (context: RequestContext, args: Asked) => Promise<unknown>> = {};
  for (const op of operations) {
    for (const method of op.methods)
      out[method] = (context, args) => perform(seam, op, context, args.instance.uuid, args);
  }
  return {
    ...(out as Partial<All>),
    terminate_instance: (context, args) => terminateInstance(seam, context, args.instance.uuid),
  };
}

/** Small changes of one instance. */
const onGuests = (seam: ComputeSeam) =>
  ({
    inject_file: (context, args) =>
      onInstance(seam, context, args.instance.uuid, ({ guest }) =>
        seam.driver.injectFile(guest, args.path, args.file_contents),
      ),
    change_instance_metadata: async (_context, args) => {
      // Guests read metadata from the metadata service, which asks the database: there is nothing to push.
      seam.log.debug('metadata changed', { instance: args.instance.uuid, keys: Object.keys(args.diff) });
    },
    reset_network: (context, args) =>
      onInstance(seam, context, args.instance.uuid, async ({ guest }) => {
        await seam.driver.plug(guest, await cachedNetworkInfo(seam.db, guest.uuid));
      }),
    inject_network_info: async (context, args) => {
      await seam.network.instanceNetworkInfo(
        elevated(context),
        networked(await guestOf(seam, args.instance.uuid)),
      );
    },
    add_fixed_ip_to_instance: (context, args) =>
      changeAddresses(seam, context, args.instance.uuid, 'create_ip', (admin, guest) =>
        seam.network.addFixedIp(admin, networked(guest), args.network_id),
      ),
    remove_fixed_ip_from_instance: (context, args) =>
      changeAddresses(seam, context, args.instance.uuid, 'delete_ip', (admin, guest) =>
        seam.network.removeFixedIp(admin, networked(guest), args.address),
      ),
  }) satisfies Partial<All>;

/** Changes a guest's addresses and makes its card follow. */
const changeAddresses = (
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  event: 'create_ip' | 'delete_ip',
  work: (admin: RequestContext, guest: Guest) => Promise<void>,
): Promise<void> =>
  onInstance(seam, context, uuid, async ({ guest, context: admin }) => {
    await seam.notify.usage(admin, guest, `${event}.start`);
    await work(admin, guest);
    const network = await seam.network.instanceNetworkInfo(admin, networked(guest));
    await seam.driver.plug(guest, network);
    await seam.notify.usage(admin, guest, `${event}.end`, {}, network);
  });

/** The destination's part of a live migration, and the questions before it. */
const arrivals = (seam: ComputeSeam) =>
  ({
    check_can_live_migrate_destination: (context, args) => checkAsDestination(seam, elevated(context), args),
    check_can_live_migrate_source: (_context, args) =>
      checkAsSource(seam, args.instance.uuid, args.dest_check_data),
    pre_live_migration: (context, args) => prepareArrival(seam, elevated(context), args),
    post_live_migration_at_destination: (context, args) =>
      finishArrival(seam, elevated(context), args.instance.uuid),
    rollback_live_migration_at_destination: (context, args) =>
      undoArrival(seam, elevated(context), args.instance.uuid),
  }) satisfies Partial<All>;

/** Questions about a guest. */
const questions = (seam: ComputeSeam) =>
  ({
    get_console_output: (context, args) =>
      withFault(seam, args.instance.uuid, () =>
        consoleOutput(seam, context, args.instance.uuid, args.tail_length),
      ),
    get_vnc_console: (context, args) =>
      withFault(seam, args.instance.uuid, () =>
        vncConsole(seam, context, args.instance.uuid, args.console_type),
      ),
    validate_console_port: (_context, args) => validateConsolePort(seam, args.instance.uuid, args.port),
    get_diagnostics: (_context, args) =>
      withFault(seam, args.instance.uuid, async () =>
        seam.driver.diagnostics(await guestOf(seam, args.instance.uuid)),
      ),
    get_console_topic: async () => `console.${seam.settings.console_host}`,
    get_console_pool_info: async () => ({
      address: '127.0.0.1',
      username: 'fakeuser',
      password: 'fakepassword',
    }),
    // For an original's API; ours takes the name with the rest of what it accepts.
    reserve_block_device_name: (_context, args) =>
      seam.db.transaction(trx =>
        reserveBlockDevice(
          trx,
          args.instance.uuid,
          { wanted: args.device, volumeId: RESERVED },
          seam.world.clock.now(),
        ),
      ),
    remove_volume_connection: (context, args) => removeVolumeConnection(seam, elevated(context), args),
  }) satisfies Partial<All>;

/** The host itself. */
const ofHost = (seam: ComputeSeam, publishCapabilities: () => Promise<void>) => {
  const firewall = (uuids: readonly string[] | null) => seam.driver.refreshFirewall(uuids);
  return {
    // All guests of the host: one that has just left the group is no longer among its members.
    refresh_security_group_rules: () => firewall(null),
    refresh_security_group_members: () => firewall(null),
    refresh_instance_security_rules: async (_context, args) => firewall([args.instance.uuid]),
    refresh_provider_fw_rules: async () => firewall(null),

    // Neither of Folsom's drivers did anything here or answered: `nova-manage service disable` takes a host out of use.
    set_host_enabled: async () => null,
    get_host_uptime: () => seam.driver.hostUptime(),
    host_power_action: (_context, args) => seam.driver.hostPowerAction(args.action),
    host_maintenance_mode: (_context, args) => seam.driver.hostMaintenanceMode(args.mode),
    add_aggregate_host: async () => {},
    remove_aggregate_host: async () => {},
    publish_service_capabilities: () => publishCapabilities(),
  } satisfies Partial<All>;
};

/** Everything nova-compute answers. */
export const computeHandlers = (seam: ComputeSeam, publishCapabilities: () => Promise<void>): All =>
  withFailuresTold(seam, {
    ...asking(seam),
    ...onGuests(seam),
    ...arrivals(seam),
    ...questions(seam),
    ...ofHost(seam, publishCapabilities),
  } as All);
