import { isQuotaResource, type Limits, limitsOf, QUOTA_RESOURCES, setLimit } from '@folsom/nova/quotas';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { type Answer, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, forbidden } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, entity, integer, param } from '../http/request.ts';

/** Quotas of a tenant or a class in XML: an attribute and one element a resource. */
export const quotaTemplate = (tag: string): XmlTemplate => ({
  tag,
  at: tag,
  attributes: { id: 'id' },
  children: QUOTA_RESOURCES.toSorted().map(name => ({ tag: name, at: name, text: '' })),
});

const INT_MAX = 2_147_483_647;

/**
 * The limits in a body, by resource; keys that are no quota are passed over. -1 is no limit.
 *
 * @throws 400 for a value that is no whole number, or below `least`
 */
export function limitsIn(api: ApiRequest, key: string, least: number): Partial<Limits> {
  const values = entity(api.body, key);
  if (!values) throw badRequest();
  const out: Partial<Limits> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!isQuotaResource(name)) continue;
    const limit = integer(value);
    if (limit === undefined || Math.abs(limit) > INT_MAX)
      throw badRequest(`Quota limit for ${name} must be an integer.`);
    if (limit < least) throw badRequest('Quota limit must be -1 or greater.');
    out[name] = limit;
  }
  return out;
}

async function update(api: ApiRequest): Promise<Answer> {
  const { deps, context } = api;
  authorizeExtension(deps, context, 'quotas:update');
  const tenant = param(api, 'id');
  const limits = limitsIn(api, 'quota_set', -1);
  await deps.db.transaction(async trx => {
    for (const [name, limit] of Object.entries(limits) as [keyof Limits, number][]) {
      await setLimit(trx, tenant, name, limit, deps.clock.now());
    }
  });
  return ok({ quota_set: await limitsOf(deps.db.knex, tenant, deps.quotaDefaults) });
}

const template = quotaTemplate('quota_set');

/** What a tenant may have. */
export const extension: Extension = {
  alias: 'os-quota-sets',
  name: 'Quotas',
  namespace: 'http://docs.openstack.org/compute/ext/quotas-sets/api/v1.1',
  updated: '2011-08-08T00:00:00+00:00',
  description: 'Quotas management support',
  resources: [
    {
      path: 'os-quota-sets',
      show: {
        xml: template,
        handle: async api => {
          const { deps, context } = api;
          authorizeExtension(deps, context, 'quotas:show');
          const tenant = param(api, 'id');
          if (!context.isAdmin && tenant !== context.projectId) throw forbidden();
          const limits = await limitsOf(deps.db.knex, tenant, deps.quotaDefaults);
          return ok({ quota_set: { id: tenant, ...limits } });
        },
      },
      update: { xml: template, handle: update },
      member: {
        defaults: {
          method: 'GET',
          xml: template,
          handle: api => {
            authorizeExtension(api.deps, api.context, 'quotas:show');
            return ok({ quota_set: { id: param(api, 'id'), ...api.deps.quotaDefaults } });
          },
        },
      },
    },
  ],
};
