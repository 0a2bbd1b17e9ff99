import { fromSqlBool, prepared, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, groupBy, type RowBase, type Sql, toRow } from './rows.ts';

/** A row of `instances`. Times are milliseconds since the epoch. */
export interface InstanceRow extends RowBase {
  id: number;
  uuid: string;
  user_id: string | null;
  project_id: string | null;
  image_ref: string;
  kernel_id: string | null;
  ramdisk_id: string | null;
  server_name: string | null;
  launch_index: number | null;
  key_name: string | null;
  key_data: string | null;
  power_state: number | null;
  vm_state: string;
  task_state: string | null;
  memory_mb: number;
  vcpus: number;
  root_gb: number;
  ephemeral_gb: number;
  hostname: string | null;
  host: string | null;
  launched_on: string | null;
  instance_type_id: number;
  /** Base64 as the user sent it. */
  user_data: string | null;
  reservation_id: string | null;
  scheduled_at: number | null;
  launched_at: number | null;
  terminated_at: number | null;
  display_name: string | null;
  display_description: string | null;
  availability_zone: string | null;
  locked: boolean;
  os_type: string | null;
  architecture: string | null;
  vm_mode: string | null;
  root_device_name: string | null;
  default_ephemeral_device: string | null;
  default_swap_device: string | null;
  config_drive: string | null;
  access_ip_v4: string | null;
  access_ip_v6: string | null;
  auto_disk_config: boolean | null;
  progress: number | null;
  shutdown_terminate: boolean | null;
  disable_terminate: boolean | null;
  cell_name: string | null;
}

const spec = columns(
  ['scheduled_at', 'launched_at', 'terminated_at'],
  ['locked', 'auto_disk_config', 'shutdown_terminate', 'disable_terminate'],
);
type Raw = RowOf<'instances'>;
export const instanceFrom = (raw: Raw): InstanceRow => fromRow<InstanceRow>(spec, raw);

export interface Visibility {
  /** Only this tenant's; null sees every tenant's. */
  projectId?: string | null;
  readDeleted?: 'no' | 'yes' | 'only';
}

/** The one lookup of an instance. @throws Fault `InstanceNotFound` */
export async function instanceByUuid(sql: Sql, uuid: string, see: Visibility = {}): Promise<InstanceRow> {
  const { projectId = null, readDeleted = 'no' } = see;
  const raw = await rowOf(sql, uuid, projectId, readDeleted === 'yes' ? null : readDeleted === 'only');
  if (!raw) throw novaFault('InstanceNotFound', { instance_id: uuid });
  return instanceFrom(raw);
}

const rowOf = prepared((sql, uuid: string, projectId: string | null, deleted: boolean | null) => {
  const query = sql('instances').where({ uuid });
  if (projectId !== null) query.where('project_id', projectId);
  if (deleted !== null) query.where('deleted', deleted ? 1 : 0);
  return query.first();
});

/** Instances that live on a host. */
export async function instancesOnHost(sql: Sql, host: string): Promise<InstanceRow[]> {
  const rows = await sql('instances')
    .where({ ...alive, host })
    .orderBy('id');
  return rows.map(instanceFrom);
}

export type InstanceChanges = Partial<Omit<InstanceRow, 'id' | 'uuid' | 'created_at' | 'updated_at'>>;

export interface UpdateCondition {
  /** The change happens only while task_state is one of these; absent: whatever it is. */
  expectedTaskState?: string | null | readonly (string | null)[];
  expectedVmState?: string | readonly string[];
  /** Whose it is: only while it is on this host, or on none (null). */
  host?: string | null;
}

/**
 * Changes an instance that is not deleted in one statement, compare-and-set where a condition is given.
 *
 * @throws Fault `UnexpectedTaskStateError` when the condition does not hold, `InstanceNotFound` when there is none.
 */
export async function updateInstance(
  sql: Sql,
  uuid: string,
  changes: InstanceChanges,
  now: number,
  condition: UpdateCondition = {},
): Promise<void> {
  if (await tryUpdateInstance(sql, uuid, changes, now, condition)) return;
  const found = (await sql('instances').where({ uuid }).first('task_state', 'deleted')) as
    | { task_state: string | null; deleted: unknown }
    | undefined;
  if (!found || fromSqlBool(found.deleted)) throw novaFault('InstanceNotFound', { instance_id: uuid });
  throw novaFault('UnexpectedTaskStateError', {
    expected: pythonList(condition.expectedTaskState),
    actual: found.task_state ?? 'None',
  });
}

/** The same, answering false instead of throwing when the condition does not hold. */
export async function tryUpdateInstance(
  sql: Sql,
  uuid: string,
  changes: InstanceChanges,
  now: number,
  condition: UpdateCondition = {},
): Promise<boolean> {
  const { expectedTaskState: task, expectedVmState: vm, host } = condition;
  const changed = await changeRow(
    sql,
    uuid,
    { ...toRow(spec, changes), updated_at: toSqlTime(now) },
    {
      host,
      tasks: task === undefined ? undefined : [task].flat(),
      vms: vm === undefined ? undefined : [vm].flat(),
    },
  );
  return changed > 0;
}

interface InState {
  host: string | null | undefined;
  tasks: readonly (string | null)[] | undefined;
  vms: readonly string[] | undefined;
}

const changeRow = prepared(
  (sql, uuid: string, values: Record<string, unknown>, { host, tasks, vms }: InState) => {
    const query = sql('instances').where({ ...alive, uuid });
    if (host === null) query.whereNull('host');
    else if (host !== undefined) query.where({ host });
    if (tasks !== undefined) {
      const named = tasks.filter(state => state !== null);
      query.where(where => {
        if (named.length > 0) where.whereIn('task_state', named);
        if (tasks.includes(null)) where.orWhereNull('task_state');
      });
    }
    if (vms !== undefined) query.whereIn('vm_state', [...vms]);
    return query.update(values);
  },
);

const pythonList = (states: UpdateCondition['expectedTaskState']): string =>
  states === undefined
    ? 'any'
    : `[${[states]
        .flat()
        .map(state => (state === null ? 'None' : `u'${state}'`))
        .join(', ')}]`;

/** Soft-deletes an instance and what hangs on it; deleting twice changes nothing. */
export async function destroyInstance(sql: Sql, uuid: string, now: number): Promise<void> {
  await sql('instances')
    .where({ ...alive, uuid })
    .update(deletion(now));
  await sql('security_group_instance_association')
    .where({ ...alive, instance_uuid: uuid })
    .update(deletion(now));
  await sql('instance_info_caches')
    .where({ ...alive, instance_uuid: uuid })
    .update(deletion(now));
}

/** `metadata` of several instances in one query, by uuid. */
export interface MetadataRow extends RowBase {
  id: number;
  instance_uuid: string;
  key: string;
  value: string;
}
const metadataSpec = columns();
const metadataRows = prepared((sql, uuids: readonly string[]) =>
  sql('instance_metadata')
    .where(alive)
    .whereIn('instance_uuid', [...uuids])
    .orderBy('id'),
);

export async function metadataOfInstances(
  sql: Sql,
  uuids: readonly string[],
): Promise<Map<string, MetadataRow[]>> {
  if (uuids.length === 0) return new Map();
  return groupBy(
    (await metadataRows(sql, uuids)).map(raw => fromRow<MetadataRow>(metadataSpec, raw)),
    row => row.instance_uuid,
  );
}

export const metadataOf = async (sql: Sql, uuid: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    ((await metadataOfInstances(sql, [uuid])).get(uuid) ?? []).map(row => [row.key, row.value]),
  );

/** Makes the metadata exactly this. Run it in a transaction. */
export async function replaceMetadata(
  sql: Sql,
  uuid: string,
  metadata: Record<string, string>,
  now: number,
): Promise<void> {
  await replaceItems(sql, 'instance_metadata', uuid, metadata, now);
}

export async function systemMetadataOf(sql: Sql, uuid: string): Promise<Record<string, string>> {
  const rows = (await sql('instance_system_metadata')
    .where({ ...alive, instance_uuid: uuid })
    .orderBy('id')
    .select('key', 'value')) as { key: string; value: string }[];
  return Object.fromEntries(rows.map(row => [row.key, row.value]));
}

/** Makes the system metadata exactly this. Run it in a transaction. */
export async function replaceSystemMetadata(
  sql: Sql,
  uuid: string,
  metadata: Record<string, string>,
  now: number,
): Promise<void> {
  await replaceItems(sql, 'instance_system_metadata', uuid, metadata, now);
}

async function replaceItems(
  sql: Sql,
  table: string,
  uuid: string,
  wanted: Record<string, string>,
  now: number,
): Promise<void> {
  const present = new Map(
    (
      (await sql(table)
        .where({ ...alive, instance_uuid: uuid })
        .select('id', 'key', 'value')) as {
        id: number;
        key: string;
        value: string;
      }[]
    ).map(row => [row.key, row]),
  );
  const gone = [...present.values()].filter(row => !Object.hasOwn(wanted, row.key)).map(row => row.id);
  if (gone.length > 0) await sql(table).whereIn('id', gone).update(deletion(now));
  const added: Record<string, unknown>[] = [];
  for (const [key, value] of Object.entries(wanted)) {
    const row = present.get(key);
    if (!row) added.push({ instance_uuid: uuid, key, value, deleted: 0, created_at: toSqlTime(now) });
    else if (row.value !== value)
      await sql(table)
        .where({ id: row.id })
        .update({ value, updated_at: toSqlTime(now) });
  }
  if (added.length > 0) await sql(table).insert(added);
}

/** The record of why an instance is in ERROR. */
export interface InstanceFaultRow extends RowBase {
  id: number;
  instance_uuid: string;
  code: number;
  message: string;
  details: string | null;
}

/** `message` is what users may see; `details` (a traceback in Folsom) only administrators get for code 500. */
export async function recordFault(
  sql: Sql,
  fault: { instance_uuid: string; code: number; message: string; details: string | null },
  now: number,
): Promise<void> {
  await sql('instance_faults').insert({
    ...fault,
    message: fault.message.slice(0, 255),
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

/** The latest fault of each instance, by uuid; only those are read, however many there are. */
export async function latestFaults(
  sql: Sql,
  uuids: readonly string[],
): Promise<Map<string, InstanceFaultRow>> {
  if (uuids.length === 0) return new Map();
  const last = sql('instance_faults')
    .where(alive)
    .whereIn('instance_uuid', [...uuids])
    .groupBy('instance_uuid')
    .select(sql.raw('max(id)'));
  const rows = await sql('instance_faults').whereIn('id', last);
  return new Map(
    rows.map(raw => fromRow<InstanceFaultRow>(metadataSpec, raw)).map(row => [row.instance_uuid, row]),
  );
}
