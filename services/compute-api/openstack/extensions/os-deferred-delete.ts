import { forceDelete, restore } from '../../domain/deletion.ts';
import { getInstance } from '../../domain/instances.ts';
import { empty } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { inState, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/deferred-delete/api/v1.1';

async function run(api: ApiRequest, action: string, work: typeof restore) {
  authorizeExtension(api.deps, api.context, 'deferred_delete');
  const instance = await translating({ InstanceNotFound: () => notFound() }, () =>
    getInstance(api.deps, api.context, param(api, 'id')),
  );
  await inState(action, () => work(api.deps, api.context, instance));
  return empty();
}

export const extension: Extension = {
  alias: 'os-deferred-delete',
  name: 'DeferredDelete',
  namespace: NAMESPACE,
  updated: '2011-09-01T00:00:00+00:00',
  description: 'Instance deferred delete',
  actions: {
    servers: {
      restore: { handle: api => run(api, 'restore', restore) },
      forceDelete: { handle: api => run(api, 'forceDelete', forceDelete) },
    },
  },
};
