import { attribute } from '@folsom/wire/view';
import type { ComputeOperation } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import { typeFaults } from '../views/volume-bodies.ts';
import { typeViews } from '../views/volumes.ts';

export const volumeType = typeViews();
/** The original shows the id of a single one as a text. */
const shownType = typeViews({ id: attribute(({ id }) => String(id)) }).one;

export const typeOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListTypes',
    about: 'Types of volumes, by name.',
    method: 'GET',
    path: '/types',
    policy: null,
    answers: 200,
    view: volumeType.many,
    run: async ({ domain, context }) => volumeType.many.json(await domain.volumeTypes.list(context)),
  }),
  operation({
    name: 'ShowType',
    about: 'With its extra specs.',
    method: 'GET',
    path: '/types/:id',
    policy: null,
    answers: 200,
    view: shownType,
    faults: typeFaults,
    run: async ({ domain, context, params }) =>
      shownType.json(await domain.volumeTypes.get(context, params.id)),
  }),
];
