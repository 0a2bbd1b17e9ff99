import { must } from '@folsom/core';
import { prepared } from '@folsom/db';
import { type FlavorRow, flavorsByIds, flavorWire } from './flavors.ts';
import {
  type InstanceRow,
  instanceByUuid,
  type MetadataRow,
  metadataOfInstances,
  type Visibility,
} from './instances.ts';
import { alive, columns, fromRow, type RowBase, type Sql, wireBase, wireTime } from './rows.ts';
import type { InstanceWire } from './rpc/wire.ts';
import {
  groupsOfInstances,
  rulesOfGroups,
  type SecurityGroupRow,
  type SecurityGroupRuleRow,
  securityGroupWire,
} from './security-groups.ts';

export interface InfoCacheRow extends RowBase {
  id: number;
  instance_uuid: string;
  /** JSON text of the network model. */
  network_info: string | null;
}

/** An instance with what belongs to it. */
export interface InstanceRecord extends InstanceRow {
  flavor: FlavorRow;
  metadata: MetadataRow[];
  security_groups: (SecurityGroupRow & { rules: SecurityGroupRuleRow[] })[];
  info_cache: InfoCacheRow | null;
}

const cacheSpec = columns();
const infoCaches = prepared((sql, uuids: readonly string[]) =>
  sql('instance_info_caches')
    .where(alive)
    .whereIn('instance_uuid', [...uuids]),
);

/** Adds what belongs to the instances: one query a table, however many there are. */
export async function joinInstances(sql: Sql, rows: readonly InstanceRow[]): Promise<InstanceRecord[]> {
  if (rows.length === 0) return [];
  const uuids = rows.map(row => row.uuid);
  const flavors = await flavorsByIds(sql, [...new Set(rows.map(row => row.instance_type_id))]);
  const metadata = await metadataOfInstances(sql, uuids);
  const groups = await groupsOfInstances(sql, uuids);
  const rules = await rulesOfGroups(sql, [...new Set([...groups.values()].flat().map(group => group.id))]);
  const caches = new Map(
    (await infoCaches(sql, uuids)).map(raw => [
      must(raw.instance_uuid, 'read by it'),
      fromRow<InfoCacheRow>(cacheSpec, raw),
    ]),
  );
  return rows.map(row => {
    const flavor = flavors.get(row.instance_type_id);
    if (!flavor) throw new Error(`instance ${row.uuid} has no flavor row ${row.instance_type_id}`);
    return {
      ...row,
      flavor,
      metadata: metadata.get(row.uuid) ?? [],
      security_groups: (groups.get(row.uuid) ?? []).map(group => ({
        ...group,
        rules: rules.get(group.id) ?? [],
      })),
      info_cache: caches.get(row.uuid) ?? null,
    };
  });
}

/** @throws Fault `InstanceNotFound` */
export async function instanceRecord(sql: Sql, uuid: string, see: Visibility = {}): Promise<InstanceRecord> {
  const [record] = await joinInstances(sql, [await instanceByUuid(sql, uuid, see)]);
  return record as InstanceRecord;
}

/** The guest's name on its hypervisor, e.g. `instance-0000000a`. Supports `%08x`, `%d`, `%s` and `%(uuid)s`. */
export function instanceName(template: string, instance: { id: number; uuid: string }): string {
  return template.replace(/%\((\w+)\)s|%(0?)(\d*)([xds])/g, (whole, name, zero, width, kind) => {
    if (name !== undefined)
      return name === 'uuid' ? instance.uuid : name === 'id' ? String(instance.id) : whole;
    const text = kind === 'x' ? instance.id.toString(16) : String(instance.id);
    return text.padStart(Number(width) || 0, zero === '0' ? '0' : ' ');
  });
}

/** An instance as messages carry it. */
export function instanceWire(record: InstanceRecord, nameTemplate: string): InstanceWire {
  const cache = record.info_cache;
  return {
    ...wireBase(record),
    id: record.id,
    uuid: record.uuid,
    name: instanceName(nameTemplate, record),
    user_id: record.user_id,
    project_id: record.project_id,
    image_ref: record.image_ref,
    kernel_id: record.kernel_id ?? '',
    ramdisk_id: record.ramdisk_id ?? '',
    server_name: record.server_name,
    launch_index: record.launch_index ?? 0,
    key_name: record.key_name,
    key_data: record.key_data,
    power_state: record.power_state ?? 0,
    vm_state: record.vm_state,
    task_state: record.task_state,
    memory_mb: record.memory_mb,
    vcpus: record.vcpus,
    root_gb: record.root_gb,
    ephemeral_gb: record.ephemeral_gb,
    hostname: record.hostname ?? '',
    host: record.host,
    instance_type_id: record.instance_type_id,
    instance_type: flavorWire(record.flavor),
    user_data: record.user_data,
    reservation_id: record.reservation_id ?? '',
    scheduled_at: wireTime(record.scheduled_at),
    launched_at: wireTime(record.launched_at),
    terminated_at: wireTime(record.terminated_at),
    availability_zone: record.availability_zone,
    display_name: record.display_name ?? '',
    display_description: record.display_description,
    launched_on: record.launched_on,
    locked: record.locked,
    os_type: record.os_type,
    architecture: record.architecture,
    vm_mode: record.vm_mode,
    root_device_name: record.root_device_name,
    default_ephemeral_device: record.default_ephemeral_device,
    default_swap_device: record.default_swap_device,
    config_drive: record.config_drive ?? '',
    access_ip_v4: record.access_ip_v4,
    access_ip_v6: record.access_ip_v6,
    auto_disk_config: record.auto_disk_config,
    progress: record.progress ?? 0,
    shutdown_terminate: record.shutdown_terminate ?? false,
    disable_terminate: record.disable_terminate ?? false,
    metadata: record.metadata.map(row => ({
      ...wireBase(row),
      id: row.id,
      instance_uuid: row.instance_uuid,
      key: row.key,
      value: row.value,
    })),
    security_groups: record.security_groups.map(group => securityGroupWire(group, group.rules)),
    info_cache: {
      ...wireBase(cache ?? record),
      id: cache?.id ?? 0,
      instance_uuid: record.uuid,
      network_info: cache?.network_info ?? '[]',
    },
  };
}
