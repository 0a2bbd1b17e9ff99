import { type Database, insertReturningId, softDeleteWhere, toSqlTime } from '@folsom/db';

/** Kinds of storage of the Xen storage manager, and the storage repositories that provide them. */
export interface StorageFlavor {
  id: number;
  label: string | null;
  description: string | null;
}

export interface StorageBackend {
  id: number;
  flavor_id: number;
  sr_uuid: string | null;
  sr_type: string | null;
  config_params: string | null;
}

export const listStorageFlavors = async (db: Database): Promise<StorageFlavor[]> =>
  db.knex('sm_flavors').where('deleted', 0).orderBy('id');

export const createStorageFlavor = (
  db: Database,
  flavor: { label: string; description: string },
  now: number,
): Promise<number> =>
  insertReturningId(db.knex, 'sm_flavors', { ...flavor, deleted: 0, created_at: toSqlTime(now) });

export const deleteStorageFlavor = (db: Database, label: string, now: number): Promise<number> =>
  softDeleteWhere(db.knex, 'sm_flavors', { label }, now);

export const listStorageBackends = async (db: Database): Promise<StorageBackend[]> =>
  db.knex('sm_backend_config').where('deleted', 0).orderBy('id');

export const createStorageBackend = (
  db: Database,
  backend: Omit<StorageBackend, 'id'>,
  now: number,
): Promise<number> =>
  insertReturningId(db.knex, 'sm_backend_config', { ...backend, deleted: 0, created_at: toSqlTime(now) });

export const deleteStorageBackend = (db: Database, id: number, now: number): Promise<number> =>
  softDeleteWhere(db.knex, 'sm_backend_config', { id }, now);
