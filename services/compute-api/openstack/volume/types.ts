import type { VolumeType } from '../../domain/volume-types.ts';
import type { ComputeOperation, JsonObject } from '../http/api.ts';
import { operation } from '../http/operation.ts';
import { typeFaults } from '../views/volume-bodies.ts';
import { many, one, typeXml } from '../views/volumes.ts';

export const typeOf = ({ id, name, extra_specs }: VolumeType): JsonObject => ({ id, name, extra_specs });

export const typeOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListTypes',
    about: 'Types of volumes, by name.',
    method: 'GET',
    path: '/types',
    policy: null,
    answers: 200,
    view: many(typeXml),
    run: async ({ domain, context }) => ({
      volume_types: (await domain.volumeTypes.list(context)).map(typeOf),
    }),
  }),
  operation({
    name: 'ShowType',
    about: 'With its extra specs.',
    method: 'GET',
    path: '/types/:id',
    policy: null,
    answers: 200,
    view: one(typeXml),
    faults: typeFaults,
    run: async ({ domain, context, params }) => {
      const type = typeOf(await domain.volumeTypes.get(context, params.id));
      return { volume_type: { ...type, id: String(type.id) } };
    },
  }),
];
