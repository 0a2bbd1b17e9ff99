import { answer } from '@folsom/http/operation';
import { inJson } from '@folsom/wire/view';
import { wireBase } from '../../domain/values.ts';
import type { VolumeType } from '../../domain/volume-types.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { typeBody, typeFaults } from '../views/volume-bodies.ts';
import { typeViews } from '../views/volumes.ts';
import { typeSpecOperations } from '../volumes/type-specs.ts';

const policy = 'compute_extension:volumetypes';
const path = '/os-volume-types';
const specsPath = `${path}/:type/extra_specs`;

const BASE = ['created_at', 'updated_at', 'deleted_at', 'deleted'] as const;
/** The whole row, as it came from the original. */
const volumeType = typeViews(
  Object.fromEntries(BASE.map(name => [name, inJson((type: VolumeType) => wireBase(type)[name])])),
);

/** Types of volumes; administrators make them. */
export const extension: Extension = {
  alias: 'os-volume-types',
  name: 'VolumeTypes',
  namespace: 'http://docs.openstack.org/compute/ext/volume_types/api/v1.1',
  updated: '2011-08-24T00:00:00+00:00',
  description: 'Volume types support',
  resources: [path, specsPath],
  operations: [
    operation({
      name: 'ListVolumeTypes',
      about: 'By name.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: volumeType.many,
      run: async ({ domain, context }) => volumeType.many.json(await domain.volumeTypes.list(context)),
    }),
    operation({
      name: 'ShowVolumeType',
      about: 'With its extra specs.',
      method: 'GET',
      path: `${path}/:id`,
      policy,
      answers: 200,
      view: volumeType.one,
      faults: typeFaults,
      run: async ({ domain, context, params }) =>
        volumeType.one.json(await domain.volumeTypes.get(context, params.id)),
    }),
    operation({
      name: 'CreateVolumeType',
      about: 'Names are unique.',
      method: 'POST',
      path,
      policy,
      body: typeBody,
      bodyRequired: false,
      answers: 200,
      view: volumeType.one,
      faults: typeFaults,
      run: async ({ domain, context, body }) =>
        volumeType.one.json(await domain.volumeTypes.create(context, body.name, body.specs)),
    }),
    operation({
      name: 'DeleteVolumeType',
      about: 'Volumes of the type keep its number.',
      method: 'DELETE',
      path: `${path}/:id`,
      policy,
      answers: 200,
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        await domain.volumeTypes.delete(context, params.id);
        return answer({});
      },
    }),
    ...typeSpecOperations({
      name: 'VolumeType',
      path: specsPath,
      policy,
      noBody: () => badRequest('No Request Body'),
      lenient: true,
      deleted: { status: 200, answer: () => answer({}) },
    }),
  ],
};
