import type { Extension } from '../http/api.ts';
import { bare, operation, refusedStates } from '../http/operation.ts';

export const extension: Extension = {
  alias: 'os-deferred-delete',
  name: 'DeferredDelete',
  namespace: 'http://docs.openstack.org/compute/ext/deferred-delete/api/v1.1',
  updated: '2011-09-01T00:00:00+00:00',
  description: 'Instance deferred delete',
  operations: (['restore', 'forceDelete'] as const).map(key =>
    operation({
      name: key === 'restore' ? 'RestoreServer' : 'ForceDeleteServer',
      about: key === 'restore' ? 'Takes back a delete that waits.' : 'Deletes without waiting.',
      method: 'POST',
      path: '/servers/:id/action',
      key,
      policy: 'compute_extension:deferred_delete',
      answers: 202,
      faults: refusedStates(key),
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params }) => {
        await domain.servers[key](context, params.id);
        return bare();
      },
    }),
  ),
};
