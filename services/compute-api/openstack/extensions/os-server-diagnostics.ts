import { diagnostics } from '../../domain/guest-output.ts';
import { getInstance } from '../../domain/instances.ts';
import { type Answer, empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { isObject, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/server-diagnostics/api/v1.1';

export const extension: Extension = {
  alias: 'os-server-diagnostics',
  name: 'ServerDiagnostics',
  namespace: NAMESPACE,
  updated: '2011-12-21T00:00:00+00:00',
  description: 'Allow Admins to view server diagnostics through server action',
  resources: [
    {
      path: 'servers/:server_id/diagnostics',
      index: {
        xml: {
          tag: 'diagnostics',
          children: [
            { tag: ([key]: [string]) => key, at: (view: object) => Object.entries(view), text: '1' },
          ],
        },
        handle: async (api): Promise<Answer> => {
          authorizeExtension(api.deps, api.context, 'server_diagnostics');
          const instance = await translating({ InstanceNotFound: () => notFound() }, () =>
            getInstance(api.deps, api.context, param(api, 'server_id')),
          );
          const said = await diagnostics(api.deps, api.context, instance);
          // Some drivers say a text.
          if (!isObject(said)) return { ...empty(200), text: String(said) };
          return ok(said);
        },
      },
    },
  ],
};
