import type { Extension } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import { limitsBody, quotaSet } from './os-quota-sets.ts';

const policy = 'compute_extension:quota_classes';
const quotas = quotaSet('quota_class_set');

/** Named sets of quotas. */
export const extension: Extension = {
  alias: 'os-quota-class-sets',
  name: 'QuotaClasses',
  namespace: 'http://docs.openstack.org/compute/ext/quota-classes-sets/api/v1.1',
  updated: '2012-03-12T00:00:00+00:00',
  description: 'Quota classes management support',
  resources: ['/os-quota-class-sets'],
  operations: [
    operation({
      name: 'ShowQuotaClass',
      about: 'What a quota class may have.',
      method: 'GET',
      path: '/os-quota-class-sets/:id',
      policy,
      answers: 200,
      view: quotas,
      faults: { NotAuthorized: 403 },
      run: async ({ domain, context, params }) =>
        quotas.json(await domain.quotas.ofClass(context, params.id), params.id),
    }),
    operation({
      name: 'UpdateQuotaClass',
      about: 'Sets what a quota class may have.',
      method: 'PUT',
      path: '/os-quota-class-sets/:id',
      policy,
      body: limitsBody('quota_class_set'),
      answers: 200,
      view: quotas,
      run: async ({ domain, context, params, body }) =>
        quotas.json(await domain.quotas.setOfClass(context, params.id, body)),
    }),
  ],
};
