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

export interface ScheduleRunArgs {
  request_spec: RequestSpec;
  admin_password: string | null;
  injected_files: InjectedFiles | null;
  requested_networks: RequestedNetworks;
  is_first_time: boolean;
  filter_properties: FilterProperties;
}

export interface SchedulePrepResizeArgs {
  instance: InstanceWire;
  instance_type: FlavorWire;
  image: ImageWire;
  request_spec: RequestSpec;
  filter_properties: FilterProperties;
  reservations: string[] | null;
}

export interface HostResources {
  /** Null when the host has never reported. */
  resource: {
    vcpus: number;
    memory_mb: number;
    local_gb: number;
    vcpus_used: number;
    memory_mb_used: number;
    local_gb_used: number;
  };
  /** What each tenant's instances take. */
  usage: Record<string, { vcpus: number; memory_mb: number; root_gb: number; ephemeral_gb: number }>;
}

/** Everything nova-scheduler answers. */
export const schedulerContract = contract('scheduler', '2.2', {
  run_instance: cast<ScheduleRunArgs>('2.0'),
  prep_resize: cast<SchedulePrepResizeArgs>('2.0'),
  show_host_resources: call<{ host: string }, HostResources>('2.0'),
  live_migration: call<
    { instance: InstanceWire; dest: string; block_migration: boolean; disk_over_commit: boolean },
    null
  >('2.0'),
  /**
   * Ours: whether the image may run on the host that has the instance (a rebuild does not choose a host, but takes another image).
   * Faults with `NoValidHost` where it may not.
   */
  check_rebuild: call<{ host: string; request_spec: RequestSpec }, null>('2.2'),
  create_volume: cast<{ volume_id: string; snapshot_id: string | null; image_id: string | null }>('2.2'),
  /** Fanned out by every host. */
  update_service_capabilities: cast<{ service_name: string; host: string; capabilities: unknown }>('2.0'),
});
