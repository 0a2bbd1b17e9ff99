import type { Caller, ComputeOperation } from '../http/api.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { snapshotBody, volumeFaults } from '../views/volume-bodies.ts';
import { snapshotViews, type VolumeWords } from '../views/volumes.ts';

/** Where an API has its snapshots, and in which words. */
interface Place {
  path: string;
  policy: string | null;
  words: VolumeWords;
  /** Whether those of every tenant are asked for, where the API knows that. */
  everyTenant?(caller: Caller): boolean;
}

/** Snapshots of volumes: the volume API's resource, and the compute API's once more. */
export function snapshotOperations({ path, policy, words, everyTenant }: Place): ComputeOperation[] {
  const snapshot = snapshotViews(words);
  const item = `${path}/:id` as '/:id';
  const listing = (name: string, about: string, at: string) =>
    operation({
      name,
      about,
      method: 'GET',
      path: at,
      policy,
      query: offsetQuery,
      answers: 200,
      view: snapshot.many,
      run: async ({ domain, context, query }) => {
        const wanted = { ...pageByOffset(context, query), allTenants: everyTenant?.(context) ?? false };
        return snapshot.many.json(await domain.snapshots.list(context, wanted));
      },
    });
  return [
    listing('ListSnapshots', 'Snapshots of the tenant, oldest first.', path),
    listing('ListSnapshotsInDetail', 'The same: nothing is left out of the short list.', `${path}/detail`),
    operation({
      name: 'ShowSnapshot',
      about: 'With its state and size.',
      method: 'GET',
      path: item,
      policy,
      answers: 200,
      view: snapshot.one,
      faults: volumeFaults,
      run: async ({ domain, context, params }) =>
        snapshot.one.json(await domain.snapshots.get(context, params.id)),
    }),
    operation({
      name: 'CreateSnapshot',
      about: 'Accepts a snapshot of a volume; `force` also of one in use.',
      method: 'POST',
      path,
      policy,
      body: snapshotBody,
      bodyRequired: false,
      answers: 200,
      view: snapshot.one,
      faults: volumeFaults,
      throws: ['InvalidVolume'],
      run: async ({ domain, context, body }) =>
        snapshot.one.json(await domain.snapshots.create(context, body)),
    }),
    operation({
      name: 'DeleteSnapshot',
      about: 'One that is being made is refused.',
      method: 'DELETE',
      path: item,
      policy,
      answers: 202,
      faults: volumeFaults,
      throws: ['InvalidVolume'],
      run: async ({ domain, context, params }) => {
        await domain.snapshots.delete(context, params.id);
        return bare();
      },
    }),
  ];
}
