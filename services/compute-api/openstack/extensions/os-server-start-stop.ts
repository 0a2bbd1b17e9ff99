import type { Extension } from '../http/api.ts';
import { bare, operation } from '../http/operation.ts';

export const extension: Extension = {
  alias: 'os-server-start-stop',
  name: 'ServerStartStop',
  namespace: 'http://docs.openstack.org/compute/ext/servers/api/v1.1',
  updated: '2012-01-23T00:00:00+00:00',
  description: 'Start/Stop instance compute API support',
  operations: (['start', 'stop'] as const).map(action =>
    operation({
      name: action === 'start' ? 'StartServer' : 'StopServer',
      about:
        action === 'start' ? 'Starts a server that was stopped.' : 'Stops a server, keeping it as it is.',
      method: 'POST',
      path: '/servers/:id/action',
      key: `os-${action}`,
      policy: null,
      answers: 202,
      faults: { InstanceNotFound: [404, 'Instance not found'] },
      throws: ['InstanceIsLocked', 'InstanceInvalidState'],
      run: async ({ domain, context, params }) => {
        await domain.servers.act(context, params.id, action);
        return bare();
      },
    }),
  ),
};
