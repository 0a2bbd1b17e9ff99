import { answer } from '@folsom/http/operation';
import type { ComputeOperation, Extension } from '../http/api.ts';
import { selfHref } from '../http/links.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { createFaults, readVolumeXml, volumeBody, volumeFaults } from '../views/volume-bodies.ts';
import { CAMEL, justMade, volumeViews } from '../views/volumes.ts';
import { attachmentOperations, attachmentsPath } from '../volumes/attachments.ts';
import { bootFromVolumeOperations, bootVolumes, volumesBoot } from '../volumes/boot.ts';
import { snapshotOperations } from '../volumes/snapshots.ts';

const policy = 'compute_extension:volumes';
const shown = volumeViews(CAMEL, {
  typeOf: volume => volume.volume_type ?? volume.volume_type_id,
  emptyAttachment: true,
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
    view: shown.many,
    run: async ({ domain, context, query }) =>
      shown.many.json(await domain.volumes.list(context, pageByOffset(context, query))),
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
    view: shown.one,
    faults: volumeFaults,
    run: async ({ domain, context, params }) => shown.one.json(await domain.volumes.get(context, params.id)),
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
    view: shown.one,
    faults: createFaults,
    throws: ['InvalidInput', 'InvalidSnapshot', 'InvalidMetadata', 'VolumeNotFound'],
    run: async ({ domain, context, body }) => {
      const volume = await domain.volumes.create(context, body);
      return answer({
        document: shown.one.json(justMade(volume)),
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
  ...snapshotOperations({ path: '/os-snapshots', policy, words: CAMEL }),
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
