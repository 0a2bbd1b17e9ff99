import { answer } from '@folsom/http/operation';
import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import { isObject, scalarText } from '../http/values.ts';

export const extension: Extension = {
  alias: 'os-server-diagnostics',
  name: 'ServerDiagnostics',
  namespace: 'http://docs.openstack.org/compute/ext/server-diagnostics/api/v1.1',
  updated: '2011-12-21T00:00:00+00:00',
  description: 'Allow Admins to view server diagnostics through server action',
  resources: ['/servers/:server_id/diagnostics'],
  operations: [
    operation({
      name: 'GetDiagnostics',
      about: 'What the hypervisor says of a guest: names and numbers.',
      method: 'GET',
      path: '/servers/:server_id/diagnostics',
      policy: 'compute_extension:server_diagnostics',
      answers: 200,
      view: {
        xml: {
          tag: 'diagnostics',
          children: [
            { tag: ([key]: [string]) => key, at: (view: object) => Object.entries(view), text: '1' },
          ],
        },
      },
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params }) => {
        const said = await domain.servers.diagnostics(context, params.server_id);
        // Some drivers say a text.
        if (isObject(said)) return said;
        return answer({ type: 'text/html; charset=UTF-8', bytes: scalarText(said) ?? 'null' });
      },
    }),
  ],
};
