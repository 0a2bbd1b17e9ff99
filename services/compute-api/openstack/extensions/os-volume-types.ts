import { isFault } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import { inJson } from '@folsom/wire/view';
import { wireBase } from '../../domain/values.ts';
import type { VolumeType } from '../../domain/volume-types.ts';
import type { Extension } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { specsXml, specXml } from '../views/extra-specs.ts';
import { aboutKey, oneSpecBody, specsBody, typeBody, typeFaults } from '../views/volume-bodies.ts';
import { typeViews } from '../views/volumes.ts';

const policy = 'compute_extension:volumetypes';
const path = '/os-volume-types';
const specsPath = `${path}/:vol_type_id/extra_specs` as const;
const noBody = () => badRequest('No Request Body');

const BASE = ['created_at', 'updated_at', 'deleted_at', 'deleted'] as const;
/** The whole row, as it came from the original. */
const volumeType = typeViews(
  Object.fromEntries(BASE.map(name => [name, inJson((type: VolumeType) => wireBase(type)[name])])),
);

/** A type that is not there has nothing to list. */
async function specsOf(work: Promise<VolumeType>): Promise<Record<string, string>> {
  try {
    return (await work).extra_specs;
  } catch (error) {
    if (isFault(error, 'VolumeTypeNotFound')) return {};
    throw error;
  }
}

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
    operation({
      name: 'ListVolumeTypeSpecs',
      about: 'A type that is not there has none.',
      method: 'GET',
      path: specsPath,
      policy,
      answers: 200,
      view: { xml: specsXml },
      run: async ({ domain, context, params }) => ({
        extra_specs: await specsOf(domain.volumeTypes.get(context, params.vol_type_id)),
      }),
    }),
    operation({
      name: 'SetVolumeTypeSpecs',
      about: 'Sets these and leaves the others.',
      method: 'POST',
      path: specsPath,
      policy,
      body: specsBody(noBody),
      bodyRequired: false,
      answers: 200,
      view: { xml: specsXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        await domain.volumeTypes.setSpecs(context, params.vol_type_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'ShowVolumeTypeSpec',
      about: 'One key.',
      method: 'GET',
      path: `${specsPath}/:id`,
      policy,
      answers: 200,
      view: { xml: specXml },
      run: async ({ domain, context, params }) => {
        const specs = await specsOf(domain.volumeTypes.get(context, params.vol_type_id));
        if (!Object.hasOwn(specs, params.id)) throw notFound();
        return { [params.id]: specs[params.id] };
      },
    }),
    operation({
      name: 'SetVolumeTypeSpec',
      about: 'The body holds this key alone.',
      method: 'PUT',
      path: `${specsPath}/:id`,
      policy,
      body: oneSpecBody(noBody),
      bodyRequired: false,
      answers: 200,
      view: { xml: specXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        aboutKey(body.sent, params.id);
        await domain.volumeTypes.setSpecs(context, params.vol_type_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'DeleteVolumeTypeSpec',
      about: 'Others stay.',
      method: 'DELETE',
      path: `${specsPath}/:id`,
      policy,
      answers: 200,
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        await domain.volumeTypes.deleteSpec(context, params.vol_type_id, params.id);
        return answer({});
      },
    }),
  ],
};
