import { ownText } from '@folsom/http/operation';
import Type from 'typebox';
import { integer } from '../../domain/values.ts';
import type { Extension } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { bare, operation } from '../http/operation.ts';
import { name, readBy, truth } from '../http/shapes.ts';
import { isObject, scalarText } from '../http/values.ts';
import { flavorViews } from '../views/flavors.ts';

const policy = 'compute_extension:flavormanage';

const INT_MAX = 2_147_483_647;

/** A number that is there; whether it is one, and large enough, is looked at when all are. */
const number = (read: (value: unknown) => number | undefined = integer) =>
  readBy((value): number => {
    if (value === undefined || value === null) throw badRequest();
    return read(value) ?? Number.NaN;
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

type Reading = readonly [least: number, read: (value: unknown) => number | undefined];

const NUMBERS: Readonly<Record<string, Reading>> = {
  ram: [1, integer],
  vcpus: [1, integer],
  disk: [0, integer],
  'OS-FLV-EXT-DATA:ephemeral': [0, integer],
  swap: [0, integer],
  rxtx_factor: [0, factor],
};

const goodNumbers = (sent: unknown): boolean =>
  isObject(sent) &&
  Object.entries(NUMBERS).every(([key, [least, read]]) => {
    const found = read(sent[key]);
    return found !== undefined && found >= least && found <= INT_MAX;
  });

const flavor = Type.Refine(
  Type.Object(
    {
      ram: number(),
      vcpus: number(),
      disk: number(),
      'OS-FLV-EXT-DATA:ephemeral': number(),
      swap: number(),
      rxtx_factor: number(factor),
      name: name('Invalid input received: names can only contain [a-zA-Z0-9_.- ]', {
        pattern: '^[A-Za-z0-9 ._-]+$',
      }),
      id: Type.Optional(id),
      'os-flavor-access:is_public': Type.Optional(truth()),
    },
    {
      says: ({ value }: { value: unknown }) =>
        isObject(value) ? 'Invalid input received: create arguments must be positive integers' : badRequest(),
    },
  ),
  goodNumbers,
);

const createFlavor = (shown: ReturnType<typeof flavorViews>) =>
  operation({
    name: 'CreateFlavor',
    about: 'Makes a flavor.',
    method: 'POST',
    path: '/flavors',
    policy,
    body: Type.Object({ flavor }),
    answers: 200,
    view: shown.one,
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
      return { flavor: { ...shown.full.json(made, context), rxtx_factor: made.rxtx_factor } };
    },
  });

export const extension: Extension = {
  alias: 'os-flavor-manage',
  name: 'FlavorManage',
  namespace: 'http://docs.openstack.org/compute/ext/flavor_manage/api/v1.1',
  updated: '2012-01-19T00:00:00+00:00',
  description: '\n    Flavor create/delete API support\n    ',
  operations: registry => [
    createFlavor(flavorViews(registry)),
    operation({
      name: 'DeleteFlavor',
      about: 'Deletes a flavor; servers keep the size that it gave them.',
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
