import { isFault } from '@folsom/core';
import { addFlavorTenant, type FlavorRow, flavorTenants, removeFlavorTenant } from '@folsom/nova/flavors';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import { allowed } from '../../domain/policy.ts';
import { flavorOf } from '../core/flavors.ts';
import { ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflict, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, isObject, type JsonObject } from '../http/request.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_access/api/v2';

const KEY = 'os-flavor-access:is_public';

const xml: XmlTemplate = {
  tag: 'flavor_access',
  children: [
    {
      tag: 'access',
      at: 'flavor_access',
      attributes: { flavor_id: 'flavor_id', tenant_id: 'tenant_id' },
    },
  ],
};

async function answer(api: ApiRequest, flavor: FlavorRow) {
  const tenants = await flavorTenants(api.deps.db.knex, flavor.id);
  return ok({
    flavor_access: tenants.map(tenant_id => ({ flavor_id: flavor.flavorid, tenant_id })),
  });
}

/** Only administrators give access, whatever the policy says of reading it. */
function tenantOf(api: ApiRequest, action: string): string {
  authorizeExtension(api.deps, api.context, 'flavormanage');
  const body = (api.body as JsonObject)[action];
  const tenant = isObject(body) ? body.tenant : undefined;
  if (typeof tenant !== 'string' || tenant === '' || tenant.length > 255) throw badRequest();
  return tenant;
}

export const extension: Extension = {
  alias: 'os-flavor-access',
  name: 'FlavorAccess',
  namespace: NAMESPACE,
  updated: '2012-08-01T00:00:00+00:00',
  description: 'Flavor access supprt',
  flavor: (api, view, flavor) => {
    if (allowed(api.deps, api.context, 'compute_extension:flavor_access')) view[KEY] = flavor.is_public;
  },
  xml: { flavor: { namespaces: { 'os-flavor-access': NAMESPACE }, attributes: { [KEY]: KEY } } },
  resources: [
    {
      path: 'flavors/:flavor_id/os-flavor-access',
      index: {
        xml,
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'flavor_access');
          const flavor = await flavorOf(api, 'flavor_id', () => notFound('Flavor not found.'));
          if (flavor.is_public) throw notFound('Access list not available for public flavors.');
          return answer(api, flavor);
        },
      },
    },
  ],
  actions: {
    flavors: {
      addTenantAccess: {
        xml,
        handle: async api => {
          const tenant = tenantOf(api, 'addTenantAccess');
          const flavor = await flavorOf(api);
          await translating({ FlavorAccessExists: error => conflict(error.message) }, () =>
            addFlavorTenant(api.deps.db.knex, flavor, tenant, api.deps.clock.now()),
          );
          return answer(api, flavor);
        },
      },
      removeTenantAccess: {
        xml,
        handle: async api => {
          const tenant = tenantOf(api, 'removeTenantAccess');
          const flavor = await flavorOf(api);
          try {
            await removeFlavorTenant(api.deps.db.knex, flavor, tenant, api.deps.clock.now());
          } catch (error) {
            // Access that was not there is gone all the same.
            if (!isFault(error, 'FlavorAccessNotFound')) throw error;
          }
          return answer(api, flavor);
        },
      },
    },
  },
};
