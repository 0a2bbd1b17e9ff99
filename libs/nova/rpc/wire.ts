/** Shapes of rows as Folsom puts them into messages: column names, ISO times without zone, null for none. */

/** Columns every row carries. */
export interface WireBase {
  /** `2012-09-27T10:00:00.000000` or null. */
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
}

/** Columns of a flavor, the same in rows and messages. */
export interface FlavorColumns {
  id: number;
  flavorid: string;
  name: string;
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
  swap: number;
  rxtx_factor: number;
  vcpu_weight: number | null;
  disabled: boolean;
  is_public: boolean;
}

export interface FlavorWire extends WireBase, FlavorColumns {
  /** Present where the sender joined them (scheduler messages); absent inside an instance. */
  extra_specs?: Record<string, string>;
}

export interface MetadataWire extends WireBase {
  id: number;
  instance_uuid: string;
  key: string;
  value: string;
}

export interface SecurityGroupWire extends WireBase {
  id: number;
  name: string;
  description: string;
  user_id: string;
  project_id: string;
  rules: SecurityGroupRuleWire[];
}

export interface SecurityGroupRuleWire extends WireBase {
  id: number;
  parent_group_id: number;
  protocol: string | null;
  from_port: number | null;
  to_port: number | null;
  cidr: string | null;
  group_id: number | null;
}

export interface InfoCacheWire extends WireBase {
  id: number;
  instance_uuid: string;
  /** JSON text of the network model; `[]` before there is one. */
  network_info: string;
}

/** An instance inside a message. */
export interface InstanceWire extends WireBase {
  id: number;
  uuid: string;
  /** Made from instance_name_template, e.g. `instance-00000026`. */
  name: string;
  user_id: string | null;
  project_id: string | null;
  image_ref: string;
  kernel_id: string;
  ramdisk_id: string;
  server_name: string | null;
  launch_index: number;
  key_name: string | null;
  key_data: string | null;
  power_state: number;
  vm_state: string;
  task_state: string | null;
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
  hostname: string;
  host: string | null;
  instance_type_id: number;
  instance_type: FlavorWire;
  user_data: string | null;
  reservation_id: string;
  scheduled_at: string | null;
  launched_at: string | null;
  terminated_at: string | null;
  availability_zone: string | null;
  display_name: string;
  display_description: string | null;
  launched_on: string | null;
  locked: boolean;
  os_type: string | null;
  architecture: string | null;
  vm_mode: string | null;
  root_device_name: string | null;
  default_ephemeral_device: string | null;
  default_swap_device: string | null;
  config_drive: string;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  auto_disk_config: boolean | null;
  progress: number;
  shutdown_terminate: boolean;
  disable_terminate: boolean;
  metadata: MetadataWire[];
  security_groups: SecurityGroupWire[];
  info_cache: InfoCacheWire;
}

/** An image as nova's glance client gives it on. */
export interface ImageWire {
  id: string;
  name: string | null;
  status: string;
  size: number;
  checksum: string | null;
  disk_format: string | null;
  container_format: string | null;
  min_disk: number;
  min_ram: number;
  owner: string | null;
  is_public: boolean;
  created_at: string | null;
  updated_at: string | null;
  deleted_at: string | null;
  deleted: boolean;
  properties: Record<string, unknown>;
}

/** `[network uuid, fixed address or null]`, one for each network asked for. */
export type RequestedNetworks = [string, string | null][] | null;

/** `[path, content]`, content as plain text (base64 already undone). */
export type InjectedFiles = [string, string][];

/** What every instance of a request has in common before it has a row. */
export interface InstanceProperties {
  reservation_id: string;
  image_ref: string;
  kernel_id: string;
  ramdisk_id: string;
  power_state: number;
  vm_state: string;
  config_drive_id: string;
  config_drive: string;
  user_id: string | null;
  project_id: string | null;
  launch_time: string;
  instance_type_id: number;
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
  display_name: string | null;
  display_description: string | null;
  user_data: string | null;
  key_name: string | null;
  key_data: string | null;
  locked: boolean;
  metadata: Record<string, string>;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  availability_zone: string | null;
  root_device_name: string | null;
  progress: number;
  os_type: string | null;
  architecture: string | null;
  vm_mode: string | null;
  auto_disk_config: boolean | null;
  launch_index: number;
}

export interface RequestSpec {
  image: ImageWire;
  instance_properties: InstanceProperties | InstanceWire;
  instance_type: FlavorWire;
  instance_uuids: string[];
  block_device_mapping?: unknown[];
  security_group?: string[];
  /** Set by the scheduler for a single instance of the request. */
  num_instances?: number;
}

export interface FilterProperties {
  scheduler_hints?: Record<string, unknown>;
  /** `['host']` from an availability zone `zone:host`. */
  force_hosts?: string[];
  ignore_hosts?: string[];
  request_spec?: RequestSpec;
  instance_type?: FlavorWire;
  config_options?: Record<string, unknown>;
  /** What the chosen host may promise, e.g. `{ memory_mb: 262144 }`. */
  limits?: Record<string, number>;
  retry?: { num_attempts: number; hosts: string[] };
  [key: string]: unknown;
}
