import { INSTANCE_EVENTS } from './instance-notifications.ts';

/** What is told to whoever listens to notifications, by `event_type`. */
export interface NotificationFacts {
  /** Services that publish it, as `SERVICE.HOST`; errors of the log are published as `error.publisher`. */
  publishers: readonly ('api' | 'compute' | 'error' | 'network' | 'scheduler' | 'volume')[];
  priority: 'INFO' | 'ERROR';
  /** Keys of its payload; of an event of an instance, besides the facts that all of them have. */
  payload: readonly string[];
}

/** Messages to nova-compute whose failure is told under their own name. */
export const TOLD_FAILURES = [
  'add_aggregate_host',
  'add_fixed_ip_to_instance',
  'attach_volume',
  'change_instance_metadata',
  'check_can_live_migrate_destination',
  'check_can_live_migrate_source',
  'confirm_resize',
  'detach_volume',
  'finish_resize',
  'finish_revert_resize',
  'get_console_output',
  'get_diagnostics',
  'get_host_uptime',
  'get_vnc_console',
  'host_maintenance_mode',
  'host_power_action',
  'inject_file',
  'pause_instance',
  'power_off_instance',
  'power_on_instance',
  'prep_resize',
  'reboot_instance',
  'rebuild_instance',
  'refresh_instance_security_rules',
  'refresh_provider_fw_rules',
  'refresh_security_group_members',
  'refresh_security_group_rules',
  'remove_aggregate_host',
  'remove_fixed_ip_from_instance',
  'remove_volume_connection',
  'rescue_instance',
  'reserve_block_device_name',
  'resize_instance',
  'resume_instance',
  'revert_resize',
  'run_instance',
  'set_admin_password',
  'set_host_enabled',
  'snapshot_instance',
  'start_instance',
  'stop_instance',
  'suspend_instance',
  'terminate_instance',
  'unpause_instance',
  'unrescue_instance',
  'validate_console_port',
] as const;

const STATE_CHANGE = ['instance_id', 'instance_properties', 'method', 'reason', 'request_spec', 'state'];
const VOLUME = [
  'created_at',
  'display_name',
  'launched_at',
  'size',
  'snapshot_id',
  'status',
  'tenant_id',
  'user_id',
  'volume_id',
  'volume_type',
];

const info = (publisher: NotificationFacts['publishers'][number], payload: readonly string[]) =>
  ({ publishers: [publisher], priority: 'INFO', payload }) as const;
const error = (publisher: NotificationFacts['publishers'][number], payload: readonly string[]) =>
  ({ publishers: [publisher], priority: 'ERROR', payload }) as const;

/** Every notification of the nova services. */
export const NOTIFICATIONS: Readonly<Record<string, NotificationFacts>> = {
  ...Object.fromEntries(
    Object.entries(INSTANCE_EVENTS).map(([event, payload]) => {
      const facts = info('compute', payload);
      const changed = { ...facts, publishers: ['api', 'compute', 'scheduler'] };
      return [`compute.instance.${event}`, event === 'update' ? changed : facts];
    }),
  ),
  ...Object.fromEntries(TOLD_FAILURES.map(method => [method, error('compute', ['args', 'exception'])])),
  error_notification: error('error', ['error']),
  'network.floating_ip.allocate': info('network', ['floating_ip', 'project_id']),
  'network.floating_ip.deallocate': info('network', ['floating_ip', 'project_id']),
  'network.floating_ip.associate': info('network', ['floating_ip', 'project_id']),
  'network.floating_ip.disassociate': info('network', ['floating_ip', 'project_id']),
  'scheduler.run_instance.start': info('scheduler', ['request_spec']),
  'scheduler.run_instance.scheduled': info('scheduler', ['instance_id', 'request_spec', 'weighted_host']),
  'scheduler.run_instance.end': info('scheduler', ['request_spec']),
  'scheduler.run_instance': error('scheduler', STATE_CHANGE),
  'scheduler.prep_resize': error('scheduler', STATE_CHANGE),
  'scheduler.live_migration': error('scheduler', STATE_CHANGE),
  'volume.create.start': info('volume', VOLUME),
  'volume.create.end': info('volume', VOLUME),
  'volume.delete.start': info('volume', VOLUME),
  'volume.delete.end': info('volume', VOLUME),
  'volume.exists': info('volume', [...VOLUME, 'audit_period_beginning', 'audit_period_ending']),
};
