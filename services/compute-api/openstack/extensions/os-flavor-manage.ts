import { answer, ownText } from '@folsom/http/operation';
import Type from 'typebox';
import { integer } from '../../domain/values.ts';
import type { Extension } from '../http/extension.ts';
import { badRequest } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { name, readBy, truth } from '../http/shapes.ts';
import { scalarText } from '../http/values.ts';
import { flavorTemplates, flavorView } from '../views/flavors.ts';

const policy = 'compute_extension:flavormanage';

const INT_MAX = 2_147_483_647;

const number = (least: number, read: (value: unknown) => number | undefined = integer) =>
  readBy((value): number => {
    if (value === undefined || value === null) throw badRequest();
    const found = read(value);
    if (found === undefined || found < least || found > INT_MAX) {
      throw badRequest('Invalid input received: create arguments must be positive integers');
    }
    return found;
  });

/** A factor may have a fraction, which is cut off; a text of one, as XML brings it, is taken. */
const factor = (value: unknown): number | undefined => integer(Number(scalarText(value) ?? Number.NaN));

/** Folsom makes an id where none is given. */
const id = readBy((value): string | undefined => {
  if (value === undefined || value === null) return undefined;
  const text = scalarText(value);
  if (text === undefined || text === '' || text.length > 255) throw badRequest();
  return text;
});

const NUMBERS = ['ram', 'vcpus', 'disk', 'OS-FLV-EXT-DATA:ephemeral', 'swap', 'rxtx_factor'] as const;

/** A missing number is told before one that does not fit. */
const flavor = Type.Refine(
  Type.Object({
    ram: number(1),
    vcpus: number(1),
    disk: number(0),
    'OS-FLV-EXT-DATA:ephemeral': number(0),
    swap: number(0),
    rxtx_factor: number(0, factor),
    name: name('Invalid input received: names can only contain [a-zA-Z0-9_.- ]', {
      pattern: '^[A-Za-z0-9 ._-]+$',
    }),
    id: Type.Optional(id),
    'os-flavor-access:is_public': Type.Optional(truth()),
  }),
  sent => NUMBERS.every(key => (sent as Record<string, unknown>)[key] != null),
);

export const extension: Extension = {
  alias: 'os-flavor-manage',
  name: 'FlavorManage',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_manage/api/v1.1',
  updated: '2012-01-19T00:00:00+00:00',
  description: '\n    Flavor create/delete API support\n    ',
  operations: [
    operation({
      name: 'CreateFlavor',
      method: 'POST',
      path: '/flavors',
      policy,
      body: Type.Object({ flavor }),
      answers: 200,
      faults: { InstanceTypeExists: [409, ownText] },
      run: async ({ domain, context, body: { flavor: asked } }) => {
        const made = await domain.flavors.create(context, {
          name: asked.name,
          flavorid: asked.id,
          memory_mb: asked.ram,
          vcpus: asked.vcpus,
          root_gb: asked.disk,
          ephemeral_gb: asked['OS-FLV-EXT-DATA:ephemeral'],
          swap: asked.swap,
          rxtx_factor: asked.rxtx_factor,
          is_public: asked['os-flavor-access:is_public'] ?? true,
        });
        return answer({
          document: { flavor: { ...flavorView(context, made), rxtx_factor: made.rxtx_factor } },
          xml: flavorTemplates(context.api.registry).one,
        });
      },
    }),
    operation({
      name: 'DeleteFlavor',
      method: 'DELETE',
      path: '/flavors/:id',
      policy,
      answers: 202,
      faults: { FlavorNotFound: [404, ownText] },
      run: async ({ domain, context, params }) => {
        await domain.flavors.delete(context, params.id);
        return bare();
      },
    }),
  ],
};
