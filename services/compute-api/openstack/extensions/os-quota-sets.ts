import { attribute, elementsOf, one, view } from '@folsom/wire/view';
import { isQuotaResource, type Limits, QUOTA_RESOURCES } from '../../domain/quotas.ts';
import { integer } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { readBy } from '../http/shapes.ts';
import { isObject } from '../http/values.ts';

/** Quotas of a tenant or a class: those it is asked for by id say whose they are. */
export const quotaSet = (tag: string) =>
  one(
    view<[limits: Limits, id?: string]>(tag, {
      id: attribute((_limits, id) => id),
      ...elementsOf<Limits>(...QUOTA_RESOURCES.toSorted()),
    }),
  );

const INT_MAX = 2_147_483_647;
const UNLIMITED = -1;

/** The limits of a body by resource; keys that are no quota are passed over. -1 is no limit. */
export const limitsBody = (key: string) =>
  readBy((body): Partial<Limits> => {
    const values = isObject(body) && Object.hasOwn(body, key) ? body[key] : undefined;
    if (!isObject(values)) throw badRequest();
    const out: Partial<Limits> = {};
    for (const [name, value] of Object.entries(values)) {
      if (!isQuotaResource(name)) continue;
      const limit = integer(value);
      if (limit === undefined || Math.abs(limit) > INT_MAX)
        throw badRequest(`Quota limit for ${name} must be an integer.`);
      if (limit < UNLIMITED) throw badRequest('Quota limit must be -1 or greater.');
      out[name] = limit;
    }
    return out;
  }, `\`${key}\`: limits by resource; -1 is none.`);

const quotas = quotaSet('quota_set');

/** What a tenant may have. */
export const extension: Extension = {
  alias: 'os-quota-sets',
  name: 'Quotas',
  namespace: 'http://docs.openstack.org/compute/ext/quotas-sets/api/v1.1',
  updated: '2011-08-08T00:00:00+00:00',
  description: 'Quotas management support',
  resources: ['/os-quota-sets'],
  operations: [
    operation({
      name: 'ShowQuotas',
      about: 'What a tenant may have.',
      method: 'GET',
      path: '/os-quota-sets/:id',
      policy: 'compute_extension:quotas:show',
      answers: 200,
      view: quotas,
      faults: { NotAuthorized: 403 },
      run: async ({ domain, context, params }) =>
        quotas.json(await domain.quotas.ofTenant(context, params.id), params.id),
    }),
    operation({
      name: 'UpdateQuotas',
      about: 'Sets what a tenant may have.',
      method: 'PUT',
      path: '/os-quota-sets/:id',
      policy: 'compute_extension:quotas:update',
      body: limitsBody('quota_set'),
      answers: 200,
      view: quotas,
      run: async ({ domain, context, params, body }) =>
        quotas.json(await domain.quotas.setOfTenant(context, params.id, body)),
    }),
    operation({
      name: 'ShowDefaultQuotas',
      about: 'What a tenant may have for which nothing is set.',
      method: 'GET',
      path: '/os-quota-sets/:id/defaults',
      policy: 'compute_extension:quotas:show',
      answers: 200,
      view: quotas,
      run: ({ domain, context, params }) => quotas.json(domain.quotas.defaults(context), params.id),
    }),
  ],
};
