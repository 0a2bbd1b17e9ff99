import { elevated } from '@folsom/core';
import { cachedNetworkInfo } from '@folsom/nova/instance-info-cache';
import type { computeContract } from '@folsom/nova/rpc/compute';
import type { Handlers } from '@folsom/rpc';
import { consoleOutput, validateConsolePort, vncConsole } from './console.ts';
import { computeFault } from './faults.ts';
import { runInstance } from './operations/boot.ts';
import { terminateInstance } from './operations/delete.ts';
import {
  checkAsDestination,
  checkAsSource,
  finishArrival,
  liveMigrate,
  prepareArrival,
  undoArrival,
} from './operations/live-migrate.ts';
import { setAdminPassword } from './operations/password.ts';
import { rebootInstance, transition } from './operations/power.ts';
import { rebuildInstance } from './operations/rebuild.ts';
import { rescueInstance } from './operations/rescue.ts';
import {
  confirmResize,
  finishResize,
  finishRevertResize,
  prepResize,
  resizeInstance,
  revertResize,
} from './operations/resize.ts';
import { snapshotInstance } from './operations/snapshot.ts';
import { type ComputeSeam, guestOf, networked, onInstance, withFault } from './seam.ts';

const notImplemented = async (): Promise<never> => {
  throw computeFault('NotImplementedError');
};

/** Everything nova-compute answers. */
export function computeHandlers(
  seam: ComputeSeam,
  publishCapabilities: () => Promise<void>,
): Handlers<typeof computeContract.methods> {
  const firewall = (uuids: readonly string[] | null) => seam.driver.refreshFirewall(uuids);
  return {
    run_instance: (context, args) => runInstance(seam, context, args),
    terminate_instance: (context, args) => terminateInstance(seam, context, args.instance.uuid),
    stop_instance: (context, args) => transition(seam, context, 'stop_instance', args.instance.uuid),
    start_instance: (context, args) => transition(seam, context, 'start_instance', args.instance.uuid),
    power_off_instance: (context, args) =>
      transition(seam, context, 'power_off_instance', args.instance.uuid),
    power_on_instance: (context, args) => transition(seam, context, 'start_instance', args.instance.uuid),
    reboot_instance: (context, args) => rebootInstance(seam, context, args.instance.uuid, args.reboot_type),
    rebuild_instance: (context, args) => rebuildInstance(seam, context, args),
    snapshot_instance: (context, args) => snapshotInstance(seam, context, args),
    set_admin_password: (context, args) => setAdminPassword(seam, context, args.instance.uuid, args.new_pass),
    inject_file: (context, args) =>
      onInstance(seam, context, args.instance.uuid, ({ guest }) =>
        seam.driver.injectFile(guest, args.path, args.file_contents),
      ),
    rescue_instance: (context, args) =>
      rescueInstance(seam, context, args.instance.uuid, args.rescue_password),
    unrescue_instance: (context, args) => transition(seam, context, 'unrescue_instance', args.instance.uuid),
    change_instance_metadata: async (_context, args) => {
      // Guests read metadata from the metadata service, which asks the database: there is nothing to push.
      seam.log.debug('metadata changed', { instance: args.instance.uuid, keys: Object.keys(args.diff) });
    },
    pause_instance: (context, args) => transition(seam, context, 'pause_instance', args.instance.uuid),
    unpause_instance: (context, args) => transition(seam, context, 'unpause_instance', args.instance.uuid),
    suspend_instance: (context, args) => transition(seam, context, 'suspend_instance', args.instance.uuid),
    resume_instance: (context, args) => transition(seam, context, 'resume_instance', args.instance.uuid),
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
      onInstance(seam, context, args.instance.uuid, async operation => {
        const { guest } = operation;
        await seam.notify.usage(operation.context, guest, 'create_ip.start');
        await seam.network.addFixedIp(operation.context, networked(guest), args.network_id);
        const network = await seam.network.instanceNetworkInfo(operation.context, networked(guest));
        await seam.driver.plug(guest, network);
        await seam.notify.usage(operation.context, guest, 'create_ip.end', {}, network);
      }),
    remove_fixed_ip_from_instance: (context, args) =>
      onInstance(seam, context, args.instance.uuid, async operation => {
        const { guest } = operation;
        await seam.notify.usage(operation.context, guest, 'delete_ip.start');
        await seam.network.removeFixedIp(operation.context, networked(guest), args.address);
        const network = await seam.network.instanceNetworkInfo(operation.context, networked(guest));
        await seam.driver.plug(guest, network);
        await seam.notify.usage(operation.context, guest, 'delete_ip.end', {}, network);
      }),

    prep_resize: (context, args) => prepResize(seam, context, args),
    resize_instance: (context, args) => resizeInstance(seam, context, args),
    finish_resize: (context, args) => finishResize(seam, context, args),
    confirm_resize: async (context, args) => {
      await confirmResize(seam, context, args);
    },
    revert_resize: (context, args) => revertResize(seam, context, args),
    finish_revert_resize: (context, args) => finishRevertResize(seam, context, args),

    check_can_live_migrate_destination: (context, args) => checkAsDestination(seam, elevated(context), args),
    check_can_live_migrate_source: (_context, args) =>
      checkAsSource(seam, args.instance.uuid, args.dest_check_data),
    pre_live_migration: (context, args) => prepareArrival(seam, elevated(context), args),
    live_migration: (context, args) => liveMigrate(seam, context, args),
    post_live_migration_at_destination: (context, args) =>
      finishArrival(seam, elevated(context), args.instance.uuid),
    rollback_live_migration_at_destination: (context, args) =>
      undoArrival(seam, elevated(context), args.instance.uuid),

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

    reserve_block_device_name: notImplemented,
    attach_volume: notImplemented,
    detach_volume: notImplemented,
    remove_volume_connection: notImplemented,

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
  };
}
