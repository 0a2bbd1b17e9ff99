import { call, cast, contract } from '@folsom/rpc';

/** The host that wants to reach a volume. */
export interface VolumeConnector {
  ip: string;
  /** Name of its iSCSI initiator; null where it has none. */
  initiator: string | null;
  /** Its name; Folsom's connector carries it as well. */
  host?: string | null;
}

/** A plain file or a device that the volume's own host opens directly. */
export interface LocalConnection {
  driver_volume_type: 'local';
  data: {
    volume_id: string;
    device_path: string;
    /** What lies at the path; Folsom's local volumes are always block devices. */
    device_type: 'file' | 'block';
  };
}

/** An iSCSI target. */
export interface IscsiConnection {
  driver_volume_type: 'iscsi';
  data: {
    volume_id: string;
    /** Whether portal and name come from a discovery; ours never guess. */
    target_discovered: boolean;
    target_iqn: string;
    /** `address:port` */
    target_portal: string;
    target_lun: number;
    auth_method?: string;
    auth_username?: string;
    auth_password?: string;
  };
}

/** Nothing to connect to: volumes of tests. */
export interface FakeConnection {
  driver_volume_type: 'fake';
  data: { volume_id: string };
}

/** How the connector reaches the volume, by `driver_volume_type`. */
export type ConnectionInfo = LocalConnection | IscsiConnection | FakeConnection;

interface OnVolume {
  volume_id: string;
}

export interface CreateVolumeArgs extends OnVolume {
  snapshot_id: string | null;
  image_id: string | null;
}

/** Everything nova-volume answers; always sent to the host of the volume. Folsom sends these dictionaries without a version. */
export const volumeContract = contract('volume', undefined, {
  create_volume: cast<CreateVolumeArgs>(),
  delete_volume: cast<OnVolume>(),
  create_snapshot: cast<OnVolume & { snapshot_id: string }>(),
  delete_snapshot: cast<{ snapshot_id: string }>(),
  copy_volume_to_image: cast<OnVolume & { image_id: string }>(),
  /** Marks the volume as the instance's. @throws Fault `InvalidVolume` when it is another's */
  attach_volume: call<OnVolume & { instance_uuid: string; mountpoint: string }, null>(),
  /** Marks the volume as nobody's; what is detached already stays so. */
  detach_volume: call<OnVolume, null>(),
  initialize_connection: call<OnVolume & { connector: VolumeConnector }, ConnectionInfo>(),
  terminate_connection: call<OnVolume & { connector: VolumeConnector }, null>(),
  /** Whether the volumes of an instance are exported. @throws Fault where one is not */
  check_for_export: call<{ instance_id: number }, null>(),
  /** Sent by the scheduler's fanout at its start: report capabilities now. */
  publish_service_capabilities: cast<Record<string, never>>(),
});
