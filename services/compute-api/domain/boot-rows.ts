import type { RequestContext } from '@folsom/core';
import { must } from '@folsom/core';
import { prepared, toSqlTime } from '@folsom/db';
import { novaFault } from '@folsom/nova/faults';
import type { FlavorRow } from '@folsom/nova/flavors';
import { taskState } from '@folsom/nova/instance-state';
import type { Sql } from '@folsom/nova/rows';
import type { ImageWire, InstanceProperties } from '@folsom/nova/rpc/wire';
import {
  createSecurityGroup,
  type SecurityGroupRow,
  securityGroupsByNames,
} from '@folsom/nova/security-groups';
import { blockDeviceRows } from './block-devices.ts';
import type { BootRequest } from './boot-request.ts';

/** What the rows of a boot are made from. */
export interface Rows {
  context: RequestContext;
  request: BootRequest;
  flavor: FlavorRow;
  base: InstanceProperties;
  image: ImageWire;
  uuids: string[];
  now: number;
}

/** All rows of the request, one statement a table. Answers the names of the groups. */
export async function insertInstances(trx: Sql, rows: Rows): Promise<string[]> {
  const { context, request, flavor, base, image, uuids, now } = rows;
  const projectId = context.projectId ?? '';
  const groups = await groupsFor(trx, context, request.securityGroups, now);
  const created = { created_at: toSqlTime(now), deleted: 0 };
  const shared = sharedColumns(base, request, image);
  await inBatches(
    trx,
    'instances',
    uuids.map(uuid => ({
      ...shared,
      ...created,
      uuid,
      display_name: nameOf(request, uuid),
      hostname: hostnameOf(nameOf(request, uuid), uuid),
      project_id: projectId,
      updated_at: toSqlTime(now),
    })),
  );
  const metadata = Object.entries(request.metadata);
  await inBatches(
    trx,
    'instance_metadata',
    uuids.flatMap(instance_uuid =>
      metadata.map(([key, value]) => ({ instance_uuid, key, value, ...created })),
    ),
  );
  const system = Object.entries(systemMetadata(image, base.image_ref));
  await inBatches(
    trx,
    'instance_system_metadata',
    uuids.flatMap(instance_uuid => system.map(([key, value]) => ({ instance_uuid, key, value, ...created }))),
  );
  await inBatches(
    trx,
    'instance_info_caches',
    uuids.map(instance_uuid => ({ instance_uuid, network_info: '[]', ...created })),
  );
  await inBatches(
    trx,
    'security_group_instance_association',
    uuids.flatMap(instance_uuid =>
      groups.map(group => ({ instance_uuid, security_group_id: group.id, ...created })),
    ),
  );
  const devices = blockDeviceRows(image.properties, request.blockDevices, flavor);
  await inBatches(
    trx,
    'block_device_mapping',
    uuids.flatMap(instance_uuid => devices.map(device => ({ ...device, instance_uuid, ...created }))),
  );
  return groups.map(group => group.name);
}

/** Columns that all instances of the request have alike. */
function sharedColumns(base: InstanceProperties, request: BootRequest, image: ImageWire) {
  const { config_drive_id, launch_time: _launch, metadata: _metadata, ...columns } = base;
  return {
    ...columns,
    // The drive is on, or made from an image.
    config_drive: base.config_drive === '' ? config_drive_id : base.config_drive,
    architecture: textOrNull(image.properties.architecture),
    locked: 0,
    auto_disk_config: base.auto_disk_config === null ? null : Number(base.auto_disk_config),
    task_state: taskState.scheduling,
    launch_index: 0,
    shutdown_terminate: request.blockDevices.length > 0 ? 0 : 1,
    disable_terminate: 0,
  };
}

/** Rows of one statement: databases bound the parameters of one. */
const BATCH = 100;
const ALIKE_MAX = 8;
const insertInto = (table: string) =>
  prepared((sql, rows: Record<string, unknown>[]) => sql(table).insert(rows));
const INSERTS = {
  instances: insertInto('instances'),
  instance_metadata: insertInto('instance_metadata'),
  instance_system_metadata: insertInto('instance_system_metadata'),
  instance_info_caches: insertInto('instance_info_caches'),
  security_group_instance_association: insertInto('security_group_instance_association'),
  block_device_mapping: insertInto('block_device_mapping'),
};

async function inBatches(
  trx: Sql,
  table: keyof typeof INSERTS,
  rows: Record<string, unknown>[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = rows.slice(at, at + BATCH);
    // The rows of one instance look the same in every boot, those of many in none.
    await (batch.length <= ALIKE_MAX ? INSERTS[table](trx, batch) : trx(table).insert(batch));
  }
}

/** The groups by name, oldest first, making the tenant's `default` where it has none yet. */
async function groupsFor(
  trx: Sql,
  context: RequestContext,
  names: readonly string[],
  now: number,
): Promise<SecurityGroupRow[]> {
  const projectId = context.projectId ?? '';
  const found = await securityGroupsByNames(trx, projectId, [...new Set([...names, 'default'])]);
  if (!found.has('default')) {
    const group = { name: 'default', description: 'default', userId: context.userId ?? '', projectId };
    found.set('default', await createSecurityGroup(trx, group, now));
  }
  const groups = names.map(name => {
    const group = found.get(name);
    if (!group) {
      throw novaFault('SecurityGroupNotFoundForProject', { security_group_id: name, project_id: projectId });
    }
    return group;
  });
  return groups.sort((a, b) => a.id - b.id);
}

/** Facts of the image kept with the instance, cut to the column. */
export function systemMetadata(image: ImageWire, imageRef: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(image.properties)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    out[`image_${key}`.slice(0, 255)] = text.slice(0, 255);
  }
  out.image_base_image_ref = textOrNull(image.properties.base_image_ref) ?? imageRef;
  return out;
}

const nameOf = ({ name }: BootRequest, uuid: string): string => name ?? `Server ${uuid}`;

/** A name as a host may have it: letters, digits, dots and dashes. */
function hostnameOf(name: string, uuid: string): string {
  const text = [...name]
    .filter(c => must(c.codePointAt(0), 'a character has a code') < 256)
    .join('')
    .replace(/[ _]/g, '-')
    .replace(/[^A-Za-z0-9_.-]+/g, '')
    .toLowerCase()
    .replace(/^[.-]+|[.-]+$/g, '');
  return text === '' ? `server-${uuid}` : text;
}

/** A property of an image as a column keeps it. */
export const textOrNull = (value: unknown): string | null =>
  value === undefined || value === null ? null : typeof value === 'string' ? value : JSON.stringify(value);
