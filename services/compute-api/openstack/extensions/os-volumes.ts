import { answer } from '@folsom/http/operation';
import type { Volume } from '../../domain/volumes.ts';
import type { ComputeOperation, Extension, JsonObject } from '../http/api.ts';
import { selfHref } from '../http/links.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import {
  createFaults,
  readVolumeXml,
  snapshotBody,
  volumeBody,
  volumeFaults,
} from '../views/volume-bodies.ts';
import {
  attachmentView,
  CAMEL,
  justMade,
  many,
  one,
  snapshotView,
  snapshotXml,
  volumeView,
  volumeXml,
} from '../views/volumes.ts';
import { attachmentOperations, attachmentsPath } from '../volumes/attachments.ts';
import { bootFromVolumeOperations, bootVolumes, volumesBoot } from '../volumes/boot.ts';

const policy = 'compute_extension:volumes';
const volumeElement = volumeXml(CAMEL);
const snapshotElement = snapshotXml(CAMEL);

const volumeOf = (volume: Volume): JsonObject =>
  volumeView(CAMEL, volume, {
    attachments: [attachmentView(CAMEL, volume) ?? {}],
    type: volume.volume_type ?? volume.volume_type_id,
  });

const volumes = (name: string, about: string, path: string) =>
  operation({
    name,
    about,
    method: 'GET',
    path,
    policy,
    query: offsetQuery,
    answers: 200,
    view: many(volumeElement),
    run: async ({ domain, context, query }) => ({
      volumes: (await domain.volumes.list(context, pageByOffset(context, query))).map(volumeOf),
    }),
  });
const snapshots = (name: string, about: string, path: string) =>
  operation({
    name,
    about,
    method: 'GET',
    path,
    policy,
    query: offsetQuery,
    answers: 200,
    view: many(snapshotElement),
    run: async ({ domain, context, query }) => {
      const rows = await domain.snapshots.list(context, pageByOffset(context, query));
      return { snapshots: rows.map(row => snapshotView(CAMEL, row)) };
    },
  });

const resources: readonly ComputeOperation[] = [
  volumes('ListVolumes', 'Volumes of the tenant, oldest first.', '/os-volumes'),
  volumes('ListVolumesInDetail', 'The same.', '/os-volumes/detail'),
  operation({
    name: 'ShowVolume',
    about: 'With its metadata and where it is attached.',
    method: 'GET',
    path: '/os-volumes/:id',
    policy,
    answers: 200,
    view: one(volumeElement),
    faults: volumeFaults,
    run: async ({ domain, context, params }) => ({
      volume: volumeOf(await domain.volumes.get(context, params.id)),
    }),
  }),
  operation({
    name: 'CreateVolume',
    about: 'Accepts a volume: empty, or of a snapshot.',
    method: 'POST',
    path: '/os-volumes',
    policy,
    body: volumeBody,
    bodyRequired: false,
    readXml: readVolumeXml,
    answers: 200,
    view: one(volumeElement),
    faults: createFaults,
    throws: ['InvalidInput', 'InvalidSnapshot', 'InvalidMetadata', 'VolumeNotFound'],
    run: async ({ domain, context, body }) => {
      const volume = await domain.volumes.create(context, body);
      return answer({
        document: { volume: volumeOf(justMade(volume)) },
        headers: { location: selfHref(context, 'os-volumes', volume.id) },
      });
    },
  }),
  operation({
    name: 'DeleteVolume',
    about: 'An attached one, or one with snapshots, is refused.',
    method: 'DELETE',
    path: '/os-volumes/:id',
    policy,
    answers: 202,
    faults: volumeFaults,
    throws: ['InvalidVolume', 'VolumeAttached'],
    run: async ({ domain, context, params }) => {
      await domain.volumes.delete(context, params.id);
      return bare();
    },
  }),
  snapshots('ListSnapshots', 'Snapshots of the tenant, oldest first.', '/os-snapshots'),
  snapshots('ListSnapshotsInDetail', 'The same.', '/os-snapshots/detail'),
  operation({
    name: 'ShowSnapshot',
    about: 'With its state and size.',
    method: 'GET',
    path: '/os-snapshots/:id',
    policy,
    answers: 200,
    view: one(snapshotElement),
    faults: volumeFaults,
    run: async ({ domain, context, params }) => ({
      snapshot: snapshotView(CAMEL, await domain.snapshots.get(context, params.id)),
    }),
  }),
  operation({
    name: 'CreateSnapshot',
    about: 'Accepts a snapshot of a volume; `force` also of one in use.',
    method: 'POST',
    path: '/os-snapshots',
    policy,
    body: snapshotBody,
    bodyRequired: false,
    answers: 200,
    view: one(snapshotElement),
    faults: volumeFaults,
    throws: ['InvalidVolume'],
    run: async ({ domain, context, body }) => ({
      snapshot: snapshotView(CAMEL, await domain.snapshots.create(context, body)),
    }),
  }),
  operation({
    name: 'DeleteSnapshot',
    about: 'One that is being made is refused.',
    method: 'DELETE',
    path: '/os-snapshots/:id',
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

/** The volume API's resources once more, under the names that the compute API had for them, and what servers have of volumes. */
export const extension: Extension = {
  alias: 'os-volumes',
  name: 'Volumes',
  namespace: 'http://docs.openstack.org/compute/ext/volumes/api/v1.1',
  updated: '2011-03-25T00:00:00+00:00',
  description: 'Volumes support',
  resources: ['/os-volumes', '/os-snapshots', attachmentsPath, volumesBoot],
  attributes: bootVolumes,
  operations: registry => [...resources, ...attachmentOperations, ...bootFromVolumeOperations(registry)],
};
