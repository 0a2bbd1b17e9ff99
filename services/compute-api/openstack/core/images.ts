import { Fault } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import Type from 'typebox';
import type { Caller, ComputeOperation, Registry } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { bare, operation, overLimit } from '../http/operation.ts';
import { markerQuery } from '../http/paging.ts';
import { imagesBytes } from '../views/image-bytes.ts';
import { imageViews } from '../views/images.ts';
import { metadataXml, metaItemXml, readMetadataXml, readMetaItemXml } from './metadata-xml.ts';

/** Query parameters as the image service knows them. */
const FILTERS: Record<string, string> = {
  name: 'name',
  status: 'status',
  'changes-since': 'changes-since',
  server: 'property-instance_uuid',
  type: 'property-image_type',
  minRam: 'min_ram',
  minDisk: 'min_disk',
};

const query = markerQuery;

function filtersOf(caller: Caller): Record<string, string> {
  const filters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(caller.search)) {
    const known = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
    const filter = known ?? (name.startsWith('property-') ? name : undefined);
    if (filter !== undefined) filters[filter] = value;
  }
  const server = filters['property-instance_uuid'];
  if (server?.includes('/')) filters['property-instance_uuid'] = server.slice(server.lastIndexOf('/') + 1);
  if (filters.status !== undefined) filters.status = filters.status.toLowerCase();
  return filters;
}

const list = (caller: Caller, page: { marker?: string; limit?: number }) =>
  caller.api.domain.images.list(caller, { filters: filtersOf(caller), ...page });

const missing = { ImageNotFound: [404, 'Image not found.'] } as const;
const badPage = { Invalid: 400 } as const;

/** Images as the image service has them, in nova's shape. */
export function imageOperations(registry: Registry): readonly ComputeOperation[] {
  const image = imageViews(registry);
  return [
    operation({
      name: 'ListImages',
      about: 'Images that the caller may use: their ids and names.',
      method: 'GET',
      path: '/images',
      policy: null,
      query,
      answers: 200,
      view: image.summaries,
      faults: badPage,
      throws: ['NotAuthorized'],
      run: async ({ context, query: page }) => image.summaries.json(await list(context, page), context),
    }),
    operation({
      name: 'ListImageDetails',
      about: 'Images that the caller may use.',
      method: 'GET',
      path: '/images/detail',
      policy: null,
      query,
      answers: 200,
      view: image.details,
      faults: badPage,
      throws: ['NotAuthorized'],
      run: async ({ context, query: page }) => {
        const images = await list(context, page);
        if (context.format === 'json') return answer({ bytes: imagesBytes(image, context, images) });
        return image.details.json(images, context);
      },
    }),
    operation({
      name: 'ShowImage',
      about: 'An image.',
      method: 'GET',
      path: '/images/:id',
      policy: null,
      answers: 200,
      view: image.one,
      faults: missing,
      throws: ['ImageNotAuthorized'],
      run: async ({ domain, context, params }) =>
        image.one.json(await domain.images.get(context, params.id), context),
    }),
    operation({
      name: 'CreateImage',
      about: 'Images are made by the image service, or from a server.',
      method: 'POST',
      path: '/images',
      policy: null,
      answers: 405,
      run: () => {
        throw new Fault('HTTPMethodNotAllowed', 405, 'The method POST is not allowed for this resource.');
      },
    }),
    operation({
      name: 'DeleteImage',
      about: 'Deletes an image.',
      method: 'DELETE',
      path: '/images/:id',
      policy: null,
      answers: 204,
      faults: missing,
      throws: ['ImageNotAuthorized', 'NotAuthorized'],
      run: async ({ domain, context, params }) => {
        await domain.images.delete(context, params.id);
        return bare();
      },
    }),
  ];
}

const path = '/images/:image_id/metadata';
const Properties = Type.Record(Type.String(), Type.Unknown(), { says: 'Invalid image metadata' });
const faults = { ...missing, ImageMetadataLimitExceeded: overLimit };

export const imageMetadataOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListImageMetadata',
    about: 'Metadata of an image.',
    method: 'GET',
    path,
    policy: null,
    answers: 200,
    view: { xml: metadataXml },
    faults,
    throws: ['ImageNotAuthorized'],
    run: async ({ domain, context, params }) => ({
      metadata: (await domain.images.get(context, params.image_id)).properties,
    }),
  }),
  operation({
    name: 'ShowImageMetadataItem',
    about: 'One item of the metadata of an image.',
    method: 'GET',
    path: `${path}/:id`,
    policy: null,
    answers: 200,
    view: { xml: metaItemXml },
    faults,
    throws: ['ImageNotAuthorized'],
    run: async ({ domain, context, params }) => {
      const { properties } = await domain.images.get(context, params.image_id);
      if (!Object.hasOwn(properties, params.id)) throw notFound();
      return { meta: { [params.id]: properties[params.id] } };
    },
  }),
  operation({
    name: 'AddImageMetadata',
    about: 'Adds metadata to an image; what has the same key is replaced.',
    method: 'POST',
    path,
    policy: null,
    body: Type.Object({ metadata: Type.Optional(Properties) }),
    readXml: readMetadataXml,
    answers: 200,
    view: { xml: metadataXml },
    faults,
    throws: ['ImageNotAuthorized', 'InvalidImageMetadata'],
    run: async ({ domain, context, params, body }) => ({
      metadata: await domain.images.addMetadata(context, params.image_id, body.metadata ?? {}),
    }),
  }),
  operation({
    name: 'ReplaceImageMetadata',
    about: 'Replaces the metadata of an image.',
    method: 'PUT',
    path,
    policy: null,
    body: Type.Object({ metadata: Type.Optional(Type.Union([Properties, Type.Null()])) }),
    readXml: readMetadataXml,
    answers: 200,
    view: { xml: metadataXml },
    faults,
    throws: ['ImageNotAuthorized', 'InvalidImageMetadata'],
    run: async ({ domain, context, params, body }) => ({
      metadata: await domain.images.replaceMetadata(context, params.image_id, body.metadata ?? {}),
    }),
  }),
  operation({
    name: 'SetImageMetadataItem',
    about: 'Sets one item of the metadata of an image.',
    method: 'PUT',
    path: `${path}/:id`,
    policy: null,
    body: Type.Object(
      { meta: Type.Record(Type.String(), Type.Unknown(), { says: 'Incorrect request body format' }) },
      { says: 'Incorrect request body format' },
    ),
    readXml: readMetaItemXml,
    answers: 200,
    view: { xml: metaItemXml },
    faults,
    throws: ['ImageNotAuthorized', 'InvalidImageMetadata'],
    run: async ({ domain, context, params, body: { meta } }) => {
      if (!Object.hasOwn(meta, params.id)) throw badRequest('Request body and URI mismatch');
      if (Object.keys(meta).length > 1) throw badRequest('Request body contains too many items');
      await domain.images.addMetadata(context, params.image_id, meta);
      return { meta };
    },
  }),
  operation({
    name: 'DeleteImageMetadataItem',
    about: 'Removes one item of the metadata of an image.',
    method: 'DELETE',
    path: `${path}/:id`,
    policy: null,
    answers: 204,
    faults,
    throws: ['ImageNotAuthorized', 'ImageMetadataNotFound'],
    run: ({ domain, context, params }) => domain.images.deleteMetadata(context, params.image_id, params.id),
  }),
];
