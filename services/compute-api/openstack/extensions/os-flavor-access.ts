import { ownText } from '@folsom/http/operation';
import { attribute, attributesOf, many, view } from '@folsom/wire/view';
import Type from 'typebox';
import type { FlavorAccess } from '../../domain/flavors.ts';
import type { Extension } from '../http/api.ts';
import { notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { name } from '../http/shapes.ts';

const KEY = 'os-flavor-access:is_public';

interface Access {
  flavor_id: string;
  tenant_id: string;
}
const accesses = many(view<[Access]>('access', attributesOf<Access>('flavor_id', 'tenant_id')), {
  tag: 'flavor_access',
});

const answer = ({ flavor, tenants }: FlavorAccess) =>
  accesses.json(tenants.map(tenant_id => ({ flavor_id: flavor.flavorid, tenant_id })));

/** Only administrators give access, whatever the policy says of reading it. */
const change = (key: 'addTenantAccess' | 'removeTenantAccess') =>
  operation({
    name: key === 'addTenantAccess' ? 'AddTenantAccess' : 'RemoveTenantAccess',
    about: `${key === 'addTenantAccess' ? 'Gives a tenant' : 'Takes from a tenant'} the use of a private flavor.`,
    method: 'POST',
    path: '/flavors/:id/action',
    key,
    policy: 'compute_extension:flavormanage',
    body: Type.Object({ tenant: name(undefined, { minLength: 1 }) }),
    answers: 200,
    view: accesses,
    faults: { FlavorAccessExists: [409, ownText] },
    throws: ['FlavorNotFound'],
    run: async ({ domain, context, params, body: { tenant } }) => {
      const { give, take } = domain.flavors;
      return answer(await (key === 'addTenantAccess' ? give : take)(context, params.id, tenant));
    },
  });

export const extension: Extension = {
  alias: 'os-flavor-access',
  name: 'FlavorAccess',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_access/api/v2',
  updated: '2012-08-01T00:00:00+00:00',
  description: 'Flavor access supprt',
  seenBy: caller => caller.api.domain.policy.allowed(caller, 'compute_extension:flavor_access'),
  flavor: { [KEY]: attribute(flavor => flavor.is_public) },
  resources: ['/flavors/:flavor_id/os-flavor-access'],
  operations: [
    operation({
      name: 'ListFlavorAccess',
      about: 'The tenants that a private flavor was given to.',
      method: 'GET',
      path: '/flavors/:flavor_id/os-flavor-access',
      policy: 'compute_extension:flavor_access',
      answers: 200,
      view: accesses,
      faults: { FlavorNotFound: [404, 'Flavor not found.'] },
      run: async ({ domain, context, params }) => {
        const access = await domain.flavors.access(context, params.flavor_id);
        if (access.flavor.is_public) throw notFound('Access list not available for public flavors.');
        return answer(access);
      },
    }),
    change('addTenantAccess'),
    change('removeTenantAccess'),
  ],
};
