import { type Fault, isFault } from '@folsom/core';
import type { Answer } from '@folsom/http/operation';
import type { VolumeType } from '../../domain/volume-types.ts';
import type { ComputeOperation } from '../http/api.ts';
import { notFound } from '../http/faults.ts';
import { operation } from '../http/operation.ts';
import { specsXml, specXml } from '../views/extra-specs.ts';
import { aboutKey, oneSpecBody, specsBody, typeFaults } from '../views/volume-bodies.ts';

/** Where an API has the extra specs of types, and in what its answers differ. */
interface Place {
  /** In the names of the operations: `Type` or `VolumeType`. */
  name: string;
  /** With the type as `:type`. */
  path: string;
  policy: string;
  /** What is said where nothing is sent. */
  noBody(): Fault;
  /** A type that is not there has nothing to list, instead of being not found. */
  lenient: boolean;
  deleted: { status: number; answer(): Answer };
}

/** A type that is not there has nothing to list. */
async function orNone(work: Promise<VolumeType>): Promise<Pick<VolumeType, 'extra_specs'>> {
  try {
    return await work;
  } catch (error) {
    if (isFault(error, 'VolumeTypeNotFound')) return { extra_specs: {} };
    throw error;
  }
}

/** What types of volumes ask of hosts: the volume API's resource, and the compute API's once more. */
export const typeSpecOperations = (place: Place): ComputeOperation[] => [...onAll(place), ...onOne(place)];

const typeFor = ({ lenient }: Place, work: Promise<VolumeType>) => (lenient ? orNone(work) : work);
/** Reading knows no type that is not there, where nothing is listed then. */
const reading = ({ lenient }: Place) => (lenient ? {} : { faults: typeFaults });

function onAll(place: Place): ComputeOperation[] {
  const { name, policy, noBody, lenient } = place;
  const path = place.path as '/:type';
  return [
    operation({
      name: `List${name}Specs`,
      about: lenient ? 'A type that is not there has none.' : 'What the scheduler asks of a host.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: { xml: specsXml },
      ...reading(place),
      run: async ({ domain, context, params }) => ({
        extra_specs: (await typeFor(place, domain.volumeTypes.get(context, params.type))).extra_specs,
      }),
    }),
    operation({
      name: `Set${name}Specs`,
      about: 'Sets these and leaves the others.',
      method: 'POST',
      path,
      policy,
      body: specsBody(noBody),
      bodyRequired: false,
      answers: 200,
      view: { xml: specsXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        await domain.volumeTypes.setSpecs(context, params.type, body.texts);
        return body.sent;
      },
    }),
  ];
}

function onOne(place: Place): ComputeOperation[] {
  const { name, policy, noBody, deleted } = place;
  const path = `${place.path}/:id` as '/:type/:id';
  return [
    operation({
      name: `Show${name}Spec`,
      about: 'One key.',
      method: 'GET',
      path,
      policy,
      answers: 200,
      view: { xml: specXml },
      ...reading(place),
      run: async ({ domain, context, params }) => {
        const { extra_specs } = await typeFor(place, domain.volumeTypes.get(context, params.type));
        if (!Object.hasOwn(extra_specs, params.id)) throw notFound();
        return { [params.id]: extra_specs[params.id] };
      },
    }),
    operation({
      name: `Set${name}Spec`,
      about: 'The body holds this key alone.',
      method: 'PUT',
      path,
      policy,
      body: oneSpecBody(noBody),
      bodyRequired: false,
      answers: 200,
      view: { xml: specXml },
      faults: typeFaults,
      run: async ({ domain, context, params, body }) => {
        aboutKey(body.sent, params.id);
        await domain.volumeTypes.setSpecs(context, params.type, body.texts);
        return body.sent;
      },
    }),
    operation({
      name: `Delete${name}Spec`,
      about: 'One that is not there is no mistake.',
      method: 'DELETE',
      path,
      policy,
      answers: deleted.status,
      faults: typeFaults,
      run: async ({ domain, context, params }) => {
        await domain.volumeTypes.deleteSpec(context, params.type, params.id);
        return deleted.answer();
      },
    }),
  ];
}
