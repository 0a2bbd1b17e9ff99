import { getInstance } from '../../domain/instances.ts';
import { act, rescue } from '../../domain/lifecycle.ts';
import { actionBody } from '../core/server-actions.ts';
import { adminPasswordOf } from '../core/server-body.ts';
import { empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { inState, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, param } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/rescue/api/v1.1';

const found = (api: ApiRequest) =>
  translating({ InstanceNotFound: () => notFound() }, () =>
    getInstance(api.deps, api.context, param(api, 'id')),
  );

export const extension: Extension = {
  alias: 'os-rescue',
  name: 'Rescue',
  namespace: NAMESPACE,
  updated: '2011-08-18T00:00:00+00:00',
  description: 'Instance rescue mode',
  actions: {
    servers: {
      rescue: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'rescue');
          const body = actionBody(api, 'rescue');
          const given = isObject(body) && 'adminPass' in body;
          const password = adminPasswordOf(api, given ? body.adminPass : undefined, given);
          const instance = await found(api);
          await inState('rescue', () => rescue(api.deps, api.context, instance, password));
          return ok({ adminPass: password });
        },
      },
      unrescue: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'rescue');
          const instance = await found(api);
          await inState('unrescue', () => act(api.deps, api.context, instance, 'unrescue'));
          return empty();
        },
      },
    },
  },
};
