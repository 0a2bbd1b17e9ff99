import { type RowOf, toSqlTime } from '@folsom/db';
import { novaFault } from './faults.ts';
import { alive, columns, deletion, fromRow, type RowBase, type Sql, toRow } from './rows.ts';
import {
  type SnapshotMove,
  type SnapshotMoveName,
  snapshotMoves,
  type VolumeStatus,
} from './volume-state.ts';

/** A row of `snapshots`: what a volume held at one moment. */
export interface VolumeSnapshotRow extends RowBase {
  id: string;
  volume_id: string;
  user_id: string | null;
  project_id: string | null;
  status: VolumeStatus;
  /** `100%` */
  progress: string | null;
  /** Gigabytes of the volume. */
  volume_size: number;
  scheduled_at: number | null;
  display_name: string | null;
  display_description: string | null;
}

const spec = columns(['scheduled_at']);
type Raw = RowOf<'snapshots'>;
const snapshotFrom = (raw: Raw): VolumeSnapshotRow => fromRow<VolumeSnapshotRow>(spec, raw);

/** The one lookup of a snapshot; null sees every tenant's. @throws Fault `SnapshotNotFound` */
export async function volumeSnapshotById(
  sql: Sql,
  id: string,
  projectId: string | null = null,
): Promise<VolumeSnapshotRow> {
  const query = sql('snapshots').where({ ...alive, id });
  if (projectId !== null) query.where({ project_id: projectId });
  const raw = await query.first();
  if (!raw) throw novaFault('SnapshotNotFound', { snapshot_id: id });
  return snapshotFrom(raw);
}

export interface VolumeSnapshotFilter {
  projectId?: string;
  volumeId?: string;
  /** The host of its volume. */
  host?: string;
  statuses?: readonly VolumeStatus[];
  limit?: number;
  offset?: number;
}

/** Snapshots, oldest first. */
export async function listVolumeSnapshots(
  sql: Sql,
  filter: VolumeSnapshotFilter = {},
): Promise<VolumeSnapshotRow[]> {
  const query = sql('snapshots').where(alive).orderBy('created_at').orderBy('id');
  if (filter.projectId !== undefined) query.where({ project_id: filter.projectId });
  if (filter.volumeId !== undefined) query.where({ volume_id: filter.volumeId });
  if (filter.statuses !== undefined) query.whereIn('status', [...filter.statuses]);
  if (filter.host !== undefined)
    query.whereIn('volume_id', sql('volumes').where({ host: filter.host }).select('id'));
  if (filter.limit !== undefined) query.limit(filter.limit);
  if (filter.offset !== undefined && filter.offset > 0) query.offset(filter.offset);
  return (await query).map(snapshotFrom);
}

export async function countVolumeSnapshots(sql: Sql, volumeId: string): Promise<number> {
  const [row] = await sql('snapshots')
    .where({ ...alive, volume_id: volumeId })
    .count({ total: '*' });
  return Number(row?.total ?? 0);
}

export type NewVolumeSnapshot = Pick<
  VolumeSnapshotRow,
  'id' | 'volume_id' | 'user_id' | 'project_id' | 'volume_size' | 'display_name' | 'display_description'
>;

/** A snapshot that is to be made. */
export async function insertVolumeSnapshot(sql: Sql, row: NewVolumeSnapshot, now: number): Promise<void> {
  await sql('snapshots').insert({
    ...toRow(spec, { ...row }),
    status: 'creating',
    progress: '0%',
    deleted: 0,
    created_at: toSqlTime(now),
  });
}

/** Moves a snapshot on in one statement; false when it was not in a condition for that. */
export async function tryMoveSnapshot(
  sql: Sql,
  id: string,
  name: SnapshotMoveName,
  now: number,
  changes: { progress?: string } = {},
): Promise<boolean> {
  const move: SnapshotMove = snapshotMoves[name];
  const changed = await sql('snapshots')
    .where({ ...alive, id })
    .whereIn('status', [...move.from])
    .update({ ...changes, status: move.to, updated_at: toSqlTime(now) });
  return changed > 0;
}

/** What a snapshot's status becomes whatever it was. */
export const resetSnapshotStatus = (sql: Sql, id: string, status: string, now: number): Promise<number> =>
  sql('snapshots')
    .where({ ...alive, id })
    .update({ status, updated_at: toSqlTime(now) });

/** Soft-deletes a snapshot; doing it again changes nothing. */
export async function destroyVolumeSnapshot(sql: Sql, id: string, now: number): Promise<void> {
  const { updated_at: _kept, ...gone } = deletion(now);
  await sql('snapshots')
    .where({ ...alive, id })
    .update(gone);
}
