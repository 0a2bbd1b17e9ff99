import {
  createStorageBackend,
  createStorageFlavor,
  deleteStorageBackend,
  deleteStorageFlavor,
  listStorageBackends,
  listStorageFlavors,
  type StorageBackend,
  type StorageFlavor,
} from '@folsom/nova/storage-manager';
import type { OperatorDeps } from './deps.ts';

/** Kinds of backends of Xen's storage manager, all or the one with the id. */
export const flavors = async ({ db }: OperatorDeps, id?: string): Promise<StorageFlavor[]> =>
  (await listStorageFlavors(db)).filter(item => id === undefined || String(item.id) === id);

export const flavorLabelled = async (
  { db }: OperatorDeps,
  label: string,
): Promise<StorageFlavor | undefined> => (await listStorageFlavors(db)).find(item => item.label === label);

export async function createFlavor(
  { db, clock }: OperatorDeps,
  flavor: { label: string; description: string },
): Promise<void> {
  await createStorageFlavor(db, flavor, clock.now());
}

export async function deleteFlavor({ db, clock }: OperatorDeps, label: string): Promise<void> {
  await deleteStorageFlavor(db, label, clock.now());
}

/** All backends, or the one with the id. */
export const backends = async ({ db }: OperatorDeps, id?: string): Promise<StorageBackend[]> =>
  (await listStorageBackends(db)).filter(item => id === undefined || String(item.id) === id);

/** Whether a storage repository is known already. */
export const hasRepository = async ({ db }: OperatorDeps, uuid: string): Promise<boolean> =>
  (await listStorageBackends(db)).some(item => item.sr_uuid === uuid);

export async function createBackend(
  { db, clock }: OperatorDeps,
  backend: Omit<StorageBackend, 'id'>,
): Promise<void> {
  await createStorageBackend(db, backend, clock.now());
}

export async function deleteBackend({ db, clock }: OperatorDeps, id: number): Promise<void> {
  await deleteStorageBackend(db, id, clock.now());
}
