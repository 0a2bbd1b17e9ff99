import { getInstance } from '../../domain/instances.ts';
import { act } from '../../domain/lifecycle.ts';
import { empty } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, translating } from '../http/faults.ts';
import { type ApiRequest, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/servers/api/v1.1';

async function run(api: ApiRequest, action: 'start' | 'stop') {
  const instance = await translating({ InstanceNotFound: () => notFound('Instance not found') }, () =>
    getInstance(api.deps, api.context, param(api, 'id')),
  );
  await act(api.deps, api.context, instance, action);
  return empty();
}

export const extension: Extension = {
  alias: 'os-server-start-stop',
  name: 'ServerStartStop',
  namespace: NAMESPACE,
  updated: '2012-01-23T00:00:00+00:00',
  description: 'Start/Stop instance compute API support',
  actions: {
    servers: {
      'os-start': { handle: api => run(api, 'start') },
      'os-stop': { handle: api => run(api, 'stop') },
    },
  },
};
