import type { Extension } from '../../http/api.ts';
import { bare, operation } from '../../http/operation.ts';
import { typeBody, typeFaults } from '../../views/volume-bodies.ts';
import { volumeType } from '../types.ts';

const policy = 'volume_extension:types_manage';

export const extension: Extension = {
  alias: 'os-types-manage',
  name: 'TypesManage',
  namespace: 'http://docs.openstack.org/volume/ext/types-manage/api/v1',
  updated: '2011-08-24T00:00:00+00:00',
  description: 'Types manage support',
  operations: [
    operation({
      name: 'CreateType',
      about: 'Names are unique.',
      method: 'POST',
      path: '/types',
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
      name: 'DeleteType',
      about: 'Volumes of the type keep its number.',
      method: 'DELETE',
      path: '/types/:id',
      policy,
      answers: 202,
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        await domain.volumeTypes.delete(context, params.id);
        return bare();
      },
    }),
  ],
};
