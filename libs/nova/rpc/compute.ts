import { call, cast, contract } from '@folsom/rpc';
import type {
  FilterProperties,
  FlavorWire,
  ImageWire,
  InjectedFiles,
  InstanceWire,
  RequestedNetworks,
  RequestSpec,
} from './wire.ts';

interface OnInstance {
  instance: InstanceWire;
}

export interface RunInstanceArgs extends OnInstance {
  request_spec: RequestSpec | null;
  filter_properties: FilterProperties | null;
  requested_networks: RequestedNetworks;
  injected_files: InjectedFiles | null;
  admin_password: string | null;
  is_first_time: boolean;
}

export interface RebuildInstanceArgs extends OnInstance {
  new_pass: string | null;
  injected_files: InjectedFiles;
  image_ref: string;
  orig_image_ref: string | null;
  orig_sys_metadata: Record<string, string> | null;
}

export interface SnapshotInstanceArgs extends OnInstance {
  image_id: string;
  /** `snapshot` or `backup`. */
  image_type: string;
  backup_type: string | null;
  rotation: number | null;
}

export interface PrepResizeArgs extends OnInstance {
  instance_type: FlavorWire;
  image: ImageWire;
  reservations: string[] | null;
}

export interface MigrationArgs extends OnInstance {
  migration_id: number;
  reservations: string[] | null;
}

/** What a VNC console answer is made of. */
export interface ConnectInfo {
  token: string;
  access_url: string;
  host: string;
  port: number;
  internal_access_path: string | null;
}

/** `{ key: ['+', value] }` for set, `{ key: ['-'] }` for removed. */
export type MetadataDiff = Record<string, ['+', string] | ['-']>;

/** Everything nova-compute answers; always sent to the host of the instance (`{ host }`), but for casts from the scheduler. */
export const computeContract = contract('compute', '2.2', {
  run_instance: cast<RunInstanceArgs>('2.0'),
  terminate_instance: cast<OnInstance>('2.0'),
  /** Folsom casts this from the OpenStack API and calls it from EC2. */
  stop_instance: cast<OnInstance>('2.0'),
  start_instance: cast<OnInstance>('2.0'),
  power_off_instance: cast<OnInstance>('2.0'),
  power_on_instance: cast<OnInstance>('2.0'),
  reboot_instance: cast<OnInstance & { reboot_type: string }>('2.0'),
  rebuild_instance: cast<RebuildInstanceArgs>('2.1'),
  snapshot_instance: cast<SnapshotInstanceArgs>('2.0'),
  /** Folsom casts although its table says call: the API never waits for the guest. */
  set_admin_password: cast<OnInstance & { new_pass: string | null }>('2.0'),
  inject_file: cast<OnInstance & { path: string; file_contents: string }>('2.0'),
  rescue_instance: cast<OnInstance & { rescue_password: string | null }>('2.0'),
  unrescue_instance: cast<OnInstance>('2.0'),
  change_instance_metadata: cast<OnInstance & { diff: MetadataDiff }>('2.0'),
  pause_instance: cast<OnInstance>('2.0'),
  unpause_instance: cast<OnInstance>('2.0'),
  suspend_instance: cast<OnInstance>('2.0'),
  resume_instance: cast<OnInstance>('2.0'),
  reset_network: cast<OnInstance>('2.0'),
  inject_network_info: cast<OnInstance>('2.0'),
  add_fixed_ip_to_instance: cast<OnInstance & { network_id: string }>('2.0'),
  remove_fixed_ip_from_instance: cast<OnInstance & { address: string }>('2.0'),

  prep_resize: cast<PrepResizeArgs>('2.0'),
  resize_instance: cast<MigrationArgs & { image: ImageWire }>('2.0'),
  finish_resize: cast<MigrationArgs & { image: ImageWire; disk_info: string }>('2.0'),
  /** Cast on confirm, called on delete of a resized instance. */
  confirm_resize: cast<MigrationArgs>('2.0'),
  revert_resize: cast<MigrationArgs>('2.0'),
  finish_revert_resize: cast<MigrationArgs>('2.0'),

  check_can_live_migrate_destination: call<
    OnInstance & { block_migration: boolean; disk_over_commit: boolean },
    Record<string, unknown> | null
  >('2.0'),
  check_can_live_migrate_source: call<OnInstance & { dest_check_data: Record<string, unknown> }, null>('2.0'),
  /** Folsom answers nothing; ours how the destination's hypervisor names the instance's volumes. */
  pre_live_migration: call<
    OnInstance & { block_migration: boolean; disk: unknown },
    { volumes: { volumeId: string; xml: string }[] } | null
  >('2.0'),
  live_migration: cast<
    OnInstance & { dest: string; block_migration: boolean; migrate_data: Record<string, unknown> | null }
  >('2.0'),
  post_live_migration_at_destination: call<OnInstance & { block_migration: boolean }, null>('2.0'),
  rollback_live_migration_at_destination: cast<OnInstance>('2.0'),

  get_console_output: call<OnInstance & { tail_length: number | string | null }, string>('2.0'),
  get_vnc_console: call<OnInstance & { console_type: string }, ConnectInfo>('2.0'),
  validate_console_port: call<OnInstance & { port: string | number; console_type: string }, boolean>('2.0'),
  get_diagnostics: call<OnInstance, unknown>('2.0'),
  get_console_topic: call<Record<string, never>, string>('2.0'),
  get_console_pool_info: call<{ console_type: string }, Record<string, unknown>>('2.0'),

  reserve_block_device_name: call<OnInstance & { device: string | null }, string>('2.0'),
  attach_volume: cast<OnInstance & { volume_id: string; mountpoint: string }>('2.0'),
  detach_volume: cast<OnInstance & { volume_id: string }>('2.0'),
  remove_volume_connection: call<OnInstance & { volume_id: string }, null>('2.0'),

  refresh_security_group_rules: cast<{ security_group_id: number }>('2.0'),
  refresh_security_group_members: cast<{ security_group_id: number }>('2.0'),
  refresh_instance_security_rules: cast<OnInstance>('2.0'),
  refresh_provider_fw_rules: cast<Record<string, never>>('2.0'),

  set_host_enabled: call<{ enabled: boolean }, string | null>('2.0'),
  get_host_uptime: call<Record<string, never>, string>('2.0'),
  host_power_action: call<{ action: string }, string | null>('2.0'),
  host_maintenance_mode: call<{ host: string; mode: boolean }, string | null>('2.0'),
  add_aggregate_host: cast<{ aggregate_id: number; host: string; slave_info: unknown }>('2.2'),
  remove_aggregate_host: cast<{ aggregate_id: number; host: string; slave_info: unknown }>('2.2'),
  /** Sent by the scheduler's fanout at its start: report capabilities now. */
  publish_service_capabilities: cast<Record<string, never>>('2.0'),
});
