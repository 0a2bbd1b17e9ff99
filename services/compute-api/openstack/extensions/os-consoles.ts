import { vncConsole } from '../../domain/guest-output.ts';
import { getInstance } from '../../domain/instances.ts';
import { actionBody } from '../core/server-actions.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflict, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { isObject, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/os-consoles/api/v2';

export const extension: Extension = {
  alias: 'os-consoles',
  name: 'Consoles',
  namespace: NAMESPACE,
  updated: '2011-12-23T00:00:00+00:00',
  description: 'Interactive Console support.',
  actions: {
    servers: {
      'os-getVNCConsole': {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'consoles');
          const body = actionBody(api, 'os-getVNCConsole');
          const type = isObject(body) ? body.type : undefined;
          if (typeof type !== 'string' || type.length > 32) {
            throw badRequest();
          }
          const url = await translating(
            {
              InstanceNotFound: () => notFound(),
              InstanceNotReady: () => conflict('Instance not yet ready'),
              ConsoleTypeInvalid: error => badRequest(error.message),
            },
            async () => {
              const instance = await getInstance(api.deps, api.context, param(api, 'id'));
              return vncConsole(api.deps, api.context, instance, type);
            },
          );
          return ok({ console: { type, url } });
        },
      },
    },
  },
};
