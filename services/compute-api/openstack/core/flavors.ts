import { must } from '@folsom/core';
import type { FlavorRow } from '@folsom/nova/flavors';
import type { DocumentView } from '@folsom/wire/view';
import Type from 'typebox';
import type { FlavorQuery } from '../../domain/flavors.ts';
import { integer } from '../../domain/values.ts';
import type { Caller, ComputeOperation, Registry } from '../http/api.ts';
import { badRequest } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { markerQuery } from '../http/paging.ts';
import { flavorViews } from '../views/flavors.ts';

const numberFilter = (name: string) =>
  Type.Optional(
    Type.Decode(
      Type.Refine(
        Type.String({ says: ({ value }: { value: unknown }) => `Invalid ${name} filter [${value}]` }),
        value => integer(value) !== undefined,
      ),
      value => must(integer(value), 'it is an integer'),
    ),
  );

const query = Type.Object({
  minRam: numberFilter('minRam'),
  minDisk: numberFilter('minDisk'),
  /** Looked at for administrators only. */
  is_public: Type.Optional(Type.String()),
  ...markerQuery.properties,
});

function accessOf(caller: Caller, text: string | undefined): FlavorQuery['access'] {
  if (!caller.isAdmin || text === undefined) return undefined;
  if (/^none$/i.test(text)) return 'all';
  if (/^(t|true|yes|1)$/i.test(text)) return 'public';
  if (/^(f|false|no|0)$/i.test(text)) return 'private';
  throw badRequest(`Invalid is_public filter [${text}]`);
}

interface Asked {
  is_public?: string;
  minRam?: number;
  minDisk?: number;
  marker?: string;
  limit?: number;
}

type Page = DocumentView<[readonly FlavorRow[], Caller]>;

async function page(caller: Caller, asked: Asked, shown: Page): Promise<object> {
  const { is_public, limit, ...filter } = asked;
  const { domain, config } = caller.api;
  const access = accessOf(caller, is_public);
  const flavors = await domain.flavors.list(caller, {
    ...filter,
    ...(access === undefined ? {} : { access }),
    limit: Math.min(config.osapi_max_limit, limit ?? config.osapi_max_limit),
  });
  return shown.json(flavors, caller);
}

export function flavorOperations(registry: Registry): readonly ComputeOperation[] {
  const flavor = flavorViews(registry);
  return [
    operation({
      name: 'ListFlavors',
      about: 'Flavors that the caller may use: their ids and names.',
      method: 'GET',
      path: '/flavors',
      policy: null,
      query,
      answers: 200,
      view: flavor.summaries,
      throws: ['ListMarkerNotFound'],
      run: ({ context, query: asked }) => page(context, asked, flavor.summaries),
    }),
    operation({
      name: 'ListFlavorDetails',
      about: 'Flavors that the caller may use.',
      method: 'GET',
      path: '/flavors/detail',
      policy: null,
      query,
      answers: 200,
      view: flavor.details,
      throws: ['ListMarkerNotFound'],
      run: ({ context, query: asked }) => page(context, asked, flavor.details),
    }),
    operation({
      name: 'ShowFlavor',
      about: 'A flavor; a deleted one stays visible by its id, as servers still name it.',
      method: 'GET',
      path: '/flavors/:id',
      policy: null,
      answers: 200,
      view: flavor.one,
      throws: ['FlavorNotFound'],
      run: async ({ domain, context, params }) =>
        flavor.one.json(await domain.flavors.get(context, params.id, { deleted: true }), context),
    }),
  ];
}
