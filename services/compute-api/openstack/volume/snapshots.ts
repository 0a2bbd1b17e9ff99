import type { Caller, ComputeOperation } from '../http/api.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { snapshotBody, volumeFaults } from '../views/volume-bodies.ts';
import { SNAKE, snapshotViews } from '../views/volumes.ts';

const snapshot = snapshotViews(SNAKE);

const everyTenant = ({ search }: Caller): boolean => new URLSearchParams(search).has('all_tenants');

const listing = (name: string, about: string, path: string) =>
  operation({
    name,
    about,
    method: 'GET',
    path,
    policy: null,
    query: offsetQuery,
    answers: 200,
    view: snapshot.many,
    run: async ({ domain, context, query }) => {
      const page = pageByOffset(context, query);
      const rows = await domain.snapshots.list(context, { ...page, allTenants: everyTenant(context) });
      return snapshot.many.json(rows);
    },
  });

export const snapshotOperations: readonly ComputeOperation[] = [
  listing('ListSnapshots', 'Snapshots of the tenant, oldest first.', '/snapshots'),
  listing('ListSnapshotsInDetail', 'The same: nothing is left out of the short list.', '/snapshots/detail'),
  operation({
    name: 'ShowSnapshot',
    about: 'With its state and size.',
    method: 'GET',
    path: '/snapshots/:id',
    policy: null,
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
    path: '/snapshots',
    policy: null,
    body: snapshotBody,
    bodyRequired: false,
    answers: 200,
    view: snapshot.one,
    faults: volumeFaults,
    throws: ['InvalidVolume'],
    run: async ({ domain, context, body }) => snapshot.one.json(await domain.snapshots.create(context, body)),
  }),
  operation({
    name: 'DeleteSnapshot',
    about: 'One that is being made is refused.',
    method: 'DELETE',
    path: '/snapshots/:id',
    policy: null,
    answers: 202,
    faults: volumeFaults,
    throws: ['InvalidVolume'],
    run: async ({ domain, context, params }) => {
      await domain.snapshots.delete(context, params.id);
      return bare();
    },
  }),
];
