import { inBatches, type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, type RowBase, type Sql, toRow } from './rows.ts';
import { metadataOfVolumes, type VolumeMetadata } from './volume-metadata.ts';
import {
  type AttachStatus,
  attachStatus,
  type VolumeMove,
  type VolumeMoveName,
  type VolumeStatus,
  volumeMoves,
} from './volume-state.ts';

/** A row of `volumes`. Times are milliseconds since the epoch. */
export interface VolumeRow extends RowBase {
  id: string;
  user_id: string | null;
  project_id: string | null;
  /** The nova-volume that has it; null until one is chosen. */
  host: string | null;
  /** Gigabytes. */
  size: number;
  availability_zone: string | null;
  mountpoint: string | null;
  status: VolumeStatus;
  attach_status: AttachStatus;
  scheduled_at: number | null;
  launched_at: number | null;
  terminated_at: number | null;
  display_name: string | null;
  display_description: string | null;
  /** How others reach it, as its driver wrote it. */
  provider_location: string | null;
  /** `CHAP user password` */
  provider_auth: string | null;
  snapshot_id: string | null;
  volume_type_id: number | null;
  instance_uuid: string | null;
  attach_time: number | null;
}

/** A volume with what belongs to it. */
export interface Volume extends VolumeRow {
  metadata: VolumeMetadata;
  /** Name of its type; null for none, or a deleted one. */
  volume_type: string | null;
}

const spec = columns(['scheduled_at', 'launched_at', 'terminated_at', 'attach_time']);
type Raw = RowOf<'volumes'>;
const volumeFrom = (raw: Raw): VolumeRow => fromRow<VolumeRow>(spec, raw);

/** The one lookup of a volume; null sees every tenant's. @throws Fault `VolumeNotFound` */
export async function volumeById(sql: Sql, id: string, projectId: string | null = null): Promise<VolumeRow> {
  const query = sql('volumes').where({ ...alive, id });
  if (projectId !== null) query.where({ project_id: projectId });
  const raw = await query.first();
  if (!raw) throw novaFault('VolumeNotFound', { volume_id: id });
  return volumeFrom(raw);
}

/** The same, held until the transaction ends: nobody else changes it or makes a snapshot of it meanwhile. */
export async function lockedVolume(trx: Sql, id: string): Promise<VolumeRow> {
  const raw = await trx('volumes')
    .where({ ...alive, id })
    .forUpdate()
    .first();
  if (!raw) throw novaFault('VolumeNotFound', { volume_id: id });
  return volumeFrom(raw);
}

export interface VolumeFilter {
  projectId?: string;
  host?: string;
  instanceUuid?: string;
  statuses?: readonly VolumeStatus[];
  /** Each must stand in its metadata. */
  metadata?: Readonly<Record<string, string>>;
  limit?: number;
  offset?: number;
}

/** Volumes, oldest first. */
export async function listVolumes(sql: Sql, filter: VolumeFilter = {}): Promise<VolumeRow[]> {
  const query = sql('volumes').where(alive).orderBy('created_at').orderBy('id');
  if (filter.projectId !== undefined) query.where({ project_id: filter.projectId });
  if (filter.host !== undefined) query.where({ host: filter.host });
  if (filter.instanceUuid !== undefined) query.where({ instance_uuid: filter.instanceUuid });
  if (filter.statuses !== undefined) query.whereIn('status', [...filter.statuses]);
  for (const [key, value] of Object.entries(filter.metadata ?? {})) {
    query.whereIn(
      'id',
      sql('volume_metadata')
        .where({ ...alive, key, value })
        .select('volume_id'),
    );
  }
  if (filter.limit !== undefined) query.limit(filter.limit);
  if (filter.offset !== undefined && filter.offset > 0) query.offset(filter.offset);
  return (await query).map(volumeFrom);
}

/** Volumes that were there at some moment between two, deleted ones as well, oldest first. */
export async function volumesThereBetween(sql: Sql, begin: number, end: number): Promise<VolumeRow[]> {
  const query = sql('volumes')
    .where(made => void made.whereNull('deleted_at').orWhere('deleted_at', '>', toSqlTime(begin)))
    .where('created_at', '<', toSqlTime(end))
    .orderBy('created_at')
    .orderBy('id');
  return (await query).map(volumeFrom);
}

/** Adds what belongs to the volumes: one query a table, however many there are. */
export async function joinVolumes(sql: Sql, rows: readonly VolumeRow[]): Promise<Volume[]> {
  if (rows.length === 0) return [];
  const metadata = await metadataOfVolumes(
    sql,
    rows.map(row => row.id),
  );
  const typeIds = [...new Set(rows.map(row => row.volume_type_id).filter(id => id !== null))];
  const types = new Map<number, string>(
    (
      (await inBatches(typeIds, batch =>
        sql('volume_types').where(alive).whereIn('id', batch).select('id', 'name'),
      )) as { id: number; name: string }[]
    ).map(({ id, name }) => [id, name]),
  );
  return rows.map(row => ({
    ...row,
    metadata: metadata.get(row.id) ?? {},
    volume_type: (row.volume_type_id === null ? undefined : types.get(row.volume_type_id)) ?? null,
  }));
}

export type VolumeChanges = Partial<Omit<VolumeRow, 'id' | 'status' | 'created_at' | 'updated_at'>>;
export type NewVolumeRow = VolumeChanges & Pick<VolumeRow, 'id' | 'size'>;

/** A volume that is to be made. */
export async function insertVolume(sql: Sql, row: NewVolumeRow, now: number): Promise<void> {
  await sql('volumes').insert({
    ...toRow(spec, { ...row }),
    status: 'creating',
    attach_status: attachStatus.detached,
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

/** Whose it must be for a change. */
export interface VolumeCondition {
  /** On this host, or on none (null). */
  host?: string | null;
  instanceUuid?: string;
}

/** Moves a volume on in one statement; false when it was not in a condition for that. */
export async function tryMoveVolume(
  sql: Sql,
  id: string,
  name: VolumeMoveName,
  now: number,
  changes: VolumeChanges = {},
  condition: VolumeCondition = {},
): Promise<boolean> {
  const move: VolumeMove = volumeMoves[name];
  const query = volumesUnder(sql, id, condition);
  if (move.from !== 'any') query.whereIn('status', [...move.from]);
  if (move.attach === attachStatus.attached) query.where({ attach_status: move.attach });
  // Rows that something else made may carry none.
  if (move.attach === attachStatus.detached)
    query.where(where => void where.whereNull('attach_status').orWhere({ attach_status: 'detached' }));
  return changeRows(query, { ...changes, status: move.to }, now);
}

/** Changes what is no condition; false when it is gone or another's. */
export const tryUpdateVolume = (
  sql: Sql,
  id: string,
  changes: VolumeChanges,
  now: number,
  condition: VolumeCondition = {},
): Promise<boolean> => changeRows(volumesUnder(sql, id, condition), changes, now);

const volumesUnder = (sql: Sql, id: string, { host, instanceUuid }: VolumeCondition) => {
  const query = sql('volumes').where({ ...alive, id });
  if (host === null) query.whereNull('host');
  else if (host !== undefined) query.where({ host });
  if (instanceUuid !== undefined) query.where({ instance_uuid: instanceUuid });
  return query;
};

const changeRows = async (
  query: ReturnType<typeof volumesUnder>,
  changes: VolumeChanges & { status?: VolumeStatus },
  now: number,
): Promise<boolean> =>
  (await query.update({ ...toRow(spec, { ...changes }), updated_at: toSqlTime(now) })) > 0;

/**
 * Makes a volume the instance's; doing it again changes nothing.
 *
 * @throws Fault `InvalidVolume` when it is another's or not there to be had, `VolumeNotFound`
 */
export async function markAttached(
  sql: Sql,
  id: string,
  to: { instanceUuid: string; mountpoint: string },
  now: number,
): Promise<void> {
  const changes = {
    instance_uuid: to.instanceUuid,
    mountpoint: to.mountpoint,
    attach_status: attachStatus.attached,
    attach_time: now,
  };
  if (await tryMoveVolume(sql, id, 'attach', now, changes)) return;
  const volume = await volumeById(sql, id);
  if (volume.attach_status === attachStatus.attached && volume.instance_uuid === to.instanceUuid) return;
  throw novaFault('InvalidVolume', {
    reason: volume.attach_status === attachStatus.attached ? 'already attached' : 'status must be available',
  });
}

/** Makes a volume nobody's; false when it was so already. */
export const markDetached = (sql: Sql, id: string, now: number): Promise<boolean> =>
  tryMoveVolume(sql, id, 'detach', now, {
    instance_uuid: null,
    mountpoint: null,
    attach_status: attachStatus.detached,
    attach_time: null,
  });

/** What a volume's status becomes whatever it was: an administrator knows better. */
export const resetVolumeStatus = (sql: Sql, id: string, status: string, now: number): Promise<number> =>
  sql('volumes')
    .where({ ...alive, id })
    .update({ status, updated_at: toSqlTime(now) });

/** Soft-deletes a volume and what hangs on it; false when it was gone, or another's. */
export async function destroyVolume(
  sql: Sql,
  id: string,
  now: number,
  condition: VolumeCondition = {},
): Promise<boolean> {
  const { updated_at: _kept, ...gone } = deletion(now);
  if ((await volumesUnder(sql, id, condition).update(gone)) === 0) return false;
  await sql('iscsi_targets').where({ volume_id: id }).update({ volume_id: null });
  await sql('volume_metadata')
    .where({ ...alive, volume_id: id })
    .update(gone);
  return true;
}
