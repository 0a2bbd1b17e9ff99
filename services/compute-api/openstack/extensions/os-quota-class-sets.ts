import { classLimits, type Limits, setClassLimit } from '@folsom/nova/quotas';
import { adminOnly } from '../../domain/policy.ts';
import { type Answer, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { forbidden } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, param } from '../http/request.ts';
import { limitsIn, quotaTemplate } from './os-quota-sets.ts';

const template = quotaTemplate('quota_class_set');
const UNLIMITED = -1;

async function update(api: ApiRequest): Promise<Answer> {
  const { deps, context } = api;
  authorizeExtension(deps, context, 'quota_classes');
  adminOnly(context);
  const name = param(api, 'id');
  const limits = limitsIn(api, 'quota_class_set', UNLIMITED);
  await deps.db.transaction(async trx => {
    for (const [resource, limit] of Object.entries(limits) as [keyof Limits, number][]) {
      await setClassLimit(trx, name, resource, limit, deps.clock.now());
    }
  });
  return ok({ quota_class_set: await classLimits(deps.db.knex, name, deps.quotaDefaults) });
}

/** Named sets of quotas. */
export const extension: Extension = {
  alias: 'os-quota-class-sets',
  name: 'QuotaClasses',
  namespace: 'http://docs.openstack.org/compute/ext/quota-classes-sets/api/v1.1',
  updated: '2012-03-12T00:00:00+00:00',
  description: 'Quota classes management support',
  resources: [
    {
      path: 'os-quota-class-sets',
      show: {
        xml: template,
        handle: async api => {
          const { deps, context } = api;
          authorizeExtension(deps, context, 'quota_classes');
          const name = param(api, 'id');
          if (!context.isAdmin && context.quotaClass !== name) throw forbidden();
          const limits = await classLimits(deps.db.knex, name, deps.quotaDefaults);
          return ok({ quota_class_set: { id: name, ...limits } });
        },
      },
      update: { xml: template, handle: update },
    },
  ],
};
