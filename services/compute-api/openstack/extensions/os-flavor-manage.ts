import { createFlavor, deleteFlavor, flavorByFlavorId } from '@folsom/nova/flavors';
import { type Answer, empty, ok } from '../http/answer.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest, conflict, notFound, translating } from '../http/faults.ts';
import { authorizeExtension } from '../http/front.ts';
import { type ApiRequest, boolFromString, entity, integer, param, scalarText } from '../http/request.ts';
import { flavorTemplates, flavorView } from '../views/flavors.ts';

const NAMESPACE = 'http://docs.openstack.org/compute/ext/flavor_manage/api/v1.1';

const NAME = /^[A-Za-z0-9 ._-]+$/;
const INT_MAX = 2_147_483_647;

/** rxtx_factor as a number; a text of one, as XML brings it, is taken. */
const factorOf = (value: unknown): number => Number(scalarText(value) ?? Number.NaN);

async function create(api: ApiRequest): Promise<Answer> {
  authorizeExtension(api.deps, api.context, 'flavormanage');
  const body = entity(api.body, 'flavor');
  if (!body) throw badRequest();
  // All numbers must be there; a missing one never gets as far as a complaint of its own.
  for (const key of ['ram', 'vcpus', 'disk', 'OS-FLV-EXT-DATA:ephemeral', 'swap', 'rxtx_factor']) {
    if (body[key] === undefined || body[key] === null) throw badRequest();
  }
  const number = (value: unknown, least: number): number => {
    const read = typeof value === 'number' ? Math.trunc(value) : integer(value);
    if (read === undefined || read < least || read > INT_MAX) {
      throw badRequest('Invalid input received: create arguments must be positive integers');
    }
    return read;
  };
  const { name } = body;
  if (typeof name !== 'string' || name.length > 255 || !NAME.test(name)) {
    throw badRequest('Invalid input received: names can only contain [a-zA-Z0-9_.- ]');
  }
  const given = body.id === undefined || body.id === null ? api.deps.random.uuid() : scalarText(body.id);
  if (given === undefined || given === '' || given.length > 255) throw badRequest();
  const flavor = await translating({ InstanceTypeExists: error => conflict(error.message) }, async () =>
    createFlavor(
      api.deps.db.knex,
      {
        name,
        flavorid: given,
        memory_mb: number(body.ram, 1),
        vcpus: number(body.vcpus, 1),
        root_gb: number(body.disk, 0),
        ephemeral_gb: number(body['OS-FLV-EXT-DATA:ephemeral'], 0),
        swap: number(body.swap, 0),
        rxtx_factor: number(factorOf(body.rxtx_factor), 0),
        is_public:
          'os-flavor-access:is_public' in body ? boolFromString(body['os-flavor-access:is_public']) : true,
      },
      api.deps.clock.now(),
    ),
  );
  return ok(
    { flavor: { ...flavorView(api, flavor), rxtx_factor: flavor.rxtx_factor } },
    {
      xml: flavorTemplates(api.deps.registry).one,
    },
  );
}

export const extension: Extension = {
  alias: 'os-flavor-manage',
  name: 'FlavorManage',
  namespace: NAMESPACE,
  updated: '2012-01-19T00:00:00+00:00',
  description: '\n    Flavor create/delete API support\n    ',
  operations: {
    flavors: {
      create: { handle: create },
      delete: {
        handle: async api => {
          authorizeExtension(api.deps, api.context, 'flavormanage');
          const { knex } = api.deps.db;
          const flavor = await translating({ FlavorNotFound: error => notFound(error.message) }, () =>
            flavorByFlavorId(knex, param(api, 'id'), api.context),
          );
          await deleteFlavor(knex, flavor.name, api.deps.clock.now());
          return empty();
        },
      },
    },
  },
};
