import type { Extension } from '../../http/api.ts';
import { notFound, unprocessable } from '../../http/faults.ts';
import { bare, operation } from '../../http/operation.ts';
import { specsXml, specXml } from '../../views/extra-specs.ts';
import { aboutKey, oneSpecBody, specsBody, typeFaults } from '../../views/volume-bodies.ts';

const policy = 'volume_extension:types_extra_specs';
const path = '/types/:type_id/extra_specs';

export const extension: Extension = {
  alias: 'os-types-extra-specs',
  name: 'TypesExtraSpecs',
  namespace: 'http://docs.openstack.org/volume/ext/types-extra-specs/api/v1',
  updated: '2011-08-24T00:00:00+00:00',
  description: 'Types extra specs support',
  resources: [path],
  operations: [
    operation({
      name: 'ListTypeSpecs',
      about: 'What the scheduler asks of a host.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: { xml: specsXml },
      faults: typeFaults,
      run: async ({ domain, context, params }) => ({
        extra_specs: (await domain.volumeTypes.get(context, params.type_id)).extra_specs,
      }),
    }),
    operation({
      name: 'SetTypeSpecs',
      about: 'Sets these and leaves the others.',
      method: 'POST',
      path,
      policy,
      body: specsBody(() => unprocessable()),
      bodyRequired: false,
      answers: 200,
      view: { xml: specsXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        await domain.volumeTypes.setSpecs(context, params.type_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'ShowTypeSpec',
      about: 'One key.',
      method: 'GET',
      path: `${path}/:id`,
      policy,
      answers: 200,
      view: { xml: specXml },
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        const { extra_specs } = await domain.volumeTypes.get(context, params.type_id);
        if (!Object.hasOwn(extra_specs, params.id)) throw notFound();
        return { [params.id]: extra_specs[params.id] };
      },
    }),
    operation({
      name: 'SetTypeSpec',
      about: 'The body holds this key alone.',
      method: 'PUT',
      path: `${path}/:id`,
      policy,
      body: oneSpecBody(() => unprocessable()),
      bodyRequired: false,
      answers: 200,
      view: { xml: specXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        aboutKey(body.sent, params.id);
        await domain.volumeTypes.setSpecs(context, params.type_id, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: 'DeleteTypeSpec',
      about: 'One that is not there is no mistake.',
      method: 'DELETE',
      path: `${path}/:id`,
      policy,
      answers: 202,
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        await domain.volumeTypes.deleteSpec(context, params.type_id, params.id);
        return bare();
      },
    }),
  ],
};
