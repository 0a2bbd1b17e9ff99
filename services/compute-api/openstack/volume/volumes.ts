import { answer } from '@folsom/http/operation';
import type { Volume } from '../../domain/volumes.ts';
import type { Caller, ComputeOperation } from '../http/api.ts';
import { selfHref } from '../http/links.ts';
import { bare, operation } from '../http/operation.ts';
import { offsetQuery, pageByOffset } from '../http/paging.ts';
import { createFaults, imageIdIn, readVolumeXml, volumeBody, volumeFaults } from '../views/volume-bodies.ts';
import { justMade, SNAKE, volumeViews } from '../views/volumes.ts';

/** Python's word for none. */
export const volumeTypeOf = ({ volume_type, volume_type_id: id }: Volume) =>
  volume_type ?? (id === null ? 'None' : String(id));

const volumeShown = volumeViews(SNAKE, { typeOf: volumeTypeOf, emptyAttachment: false });

/** Options that those who are no administrators may give; what they give beyond them is not heard. */
const OPTIONS_OF_USERS = new Set(['name', 'status']);

/**
 * What the query asks for. An option that the original knew no filter for left nothing of the list, and it knew one only:
 * `metadata`.
 */
function wanted(caller: Caller): { allTenants: boolean; metadata?: Record<string, string>; none: boolean } {
  const all = [...new URLSearchParams(caller.search)];
  const heard = all.filter(([name]) => caller.isAdmin || OPTIONS_OF_USERS.has(name));
  const allTenants = caller.isAdmin && heard.some(([name]) => name === 'all_tenants');
  const filters = heard.filter(([name]) => name !== 'all_tenants');
  const text = filters.find(([name]) => name === 'metadata')?.[1];
  const metadata = text === undefined ? undefined : pairsIn(text);
  return {
    allTenants,
    ...(metadata === undefined ? {} : { metadata }),
    none: filters.length > 0 && metadata === undefined,
  };
}

function pairsIn(text: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
  } catch {
    return undefined;
  }
}

const listing = (name: string, about: string, path: string) =>
  operation({
    name,
    about,
    method: 'GET',
    path,
    policy: null,
    query: offsetQuery,
    answers: 200,
    view: volumeShown.many,
    run: async ({ domain, context, query }) => {
      const { none, ...filter } = wanted(context);
      const page = pageByOffset(context, query);
      return volumeShown.many.json(none ? [] : await domain.volumes.list(context, { ...filter, ...page }));
    },
  });

export const volumeOperations: readonly ComputeOperation[] = [
  listing('ListVolumes', 'Volumes of the tenant, oldest first.', '/volumes'),
  listing(
    'ListVolumesInDetail',
    'The same: nothing of a volume is left out of the short list.',
    '/volumes/detail',
  ),
  operation({
    name: 'ShowVolume',
    about: 'With its metadata and where it is attached.',
    method: 'GET',
    path: '/volumes/:id',
    policy: null,
    answers: 200,
    view: volumeShown.one,
    faults: volumeFaults,
    run: async ({ domain, context, params }) =>
      volumeShown.one.json(await domain.volumes.get(context, params.id)),
  }),
  operation({
    name: 'CreateVolume',
    about: 'Accepts a volume: empty, of a snapshot, or with an image on it.',
    method: 'POST',
    path: '/volumes',
    policy: null,
    body: volumeBody,
    bodyRequired: false,
    readXml: readVolumeXml,
    answers: 200,
    view: volumeShown.one,
    faults: createFaults,
    throws: ['InvalidInput', 'InvalidSnapshot', 'InvalidMetadata', 'VolumeNotFound'],
    run: async ({ domain, context, body }) => {
      const loaded = context.api.registry.extensions.some(({ alias }) => alias === 'os-image-create');
      const imageId = loaded ? imageIdIn(body) : null;
      const volume = await domain.volumes.create(context, { ...body, imageId });
      const view = volumeShown.volume.json(justMade(volume));
      return answer({
        document: { volume: { ...view, ...(imageId === null ? {} : { image_id: imageId }) } },
        headers: { location: selfHref(context, 'volumes', volume.id) },
      });
    },
  }),
  operation({
    name: 'DeleteVolume',
    about: 'Deletes a volume that nobody has and that has no snapshots.',
    method: 'DELETE',
    path: '/volumes/:id',
    policy: null,
    answers: 202,
    faults: volumeFaults,
    throws: ['InvalidVolume', 'VolumeAttached'],
    run: async ({ domain, context, params }) => {
      await domain.volumes.delete(context, params.id);
      return bare();
    },
  }),
];
