import { Fault } from '@folsom/core';
import { empty, nothing, ok } from '../http/answer.ts';
import type { Registry } from '../http/extension.ts';
import { badRequest, notFound, translating } from '../http/faults.ts';
import { type ApiRequest, integer, isObject, param } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';
import { imageSummary, imagesView, imageTemplates, imageView } from '../views/images.ts';
import { imageProperties } from './server-actions.ts';
import { metadataXml, metaItemXml, readMetadataXml, readMetaItemXml } from './server-metadata.ts';

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

async function listed(api: ApiRequest) {
  const filters: Record<string, string> = {};
  for (const [name, value] of api.query) {
    const filter = Object.hasOwn(FILTERS, name)
      ? FILTERS[name]!
      : name.startsWith('property-')
        ? name
        : undefined;
    if (filter !== undefined) filters[filter] = value;
  }
  const server = filters['property-instance_uuid'];
  if (server?.includes('/')) filters['property-instance_uuid'] = server.slice(server.lastIndexOf('/') + 1);
  if (filters.status !== undefined) filters.status = filters.status.toLowerCase();
  const limitText = api.query.get('limit');
  const limit = limitText === null ? undefined : integer(limitText);
  if (limitText !== null && limit === undefined) throw badRequest('limit param must be an integer');
  if (limit !== undefined && limit < 0) throw badRequest('limit param must be positive');
  const marker = api.query.get('marker');
  return translating({ Invalid: () => badRequest() }, () =>
    api.deps.images.list(api.context, {
      filters,
      ...(limit === undefined ? {} : { limit }),
      ...(marker === null ? {} : { marker }),
    }),
  );
}

/** The image of the path, or this resource's 404. */
const imageOf = (api: ApiRequest, name: string) =>
  translating({ ImageNotFound: () => notFound('Image not found.') }, () =>
    api.deps.images.show(api.context, param(api, name)),
  );

/** Images as the image service has them, in nova's shape. */
export function imagesResource(registry: Registry): Resource {
  const xml = imageTemplates(registry);
  return {
    path: 'images',
    index: { xml: xml.minimal, handle: async api => ok(imagesView(api, await listed(api), imageSummary)) },
    collection: {
      detail: {
        method: 'GET',
        xml: xml.detail,
        handle: async api => ok(imagesView(api, await listed(api), imageView)),
      },
    },
    show: { xml: xml.one, handle: async api => ok({ image: imageView(api, await imageOf(api, 'id')) }) },
    create: {
      body: false,
      handle: () => {
        throw new Fault('HTTPMethodNotAllowed', 405, 'The method POST is not allowed for this resource.');
      },
    },
    delete: {
      handle: async api => {
        await translating({ ImageNotFound: () => notFound('Image not found.') }, () =>
          api.deps.images.delete(api.context, param(api, 'id')),
        );
        return empty(204);
      },
    },
  };
}

type Properties = Record<string, unknown>;

async function save(api: ApiRequest, properties: Properties): Promise<Properties> {
  const image = await api.deps.images.update(api.context, param(api, 'image_id'), { properties });
  return image.properties;
}

export const imageMetadata: Resource = {
  path: 'images/:image_id/metadata',
  index: {
    xml: metadataXml,
    handle: async api => ok({ metadata: (await imageOf(api, 'image_id')).properties }),
  },
  show: {
    xml: metaItemXml,
    handle: async api => {
      const { properties } = await imageOf(api, 'image_id');
      const key = param(api, 'id');
      if (!Object.hasOwn(properties, key)) throw notFound();
      return ok({ meta: { [key]: properties[key] } });
    },
  },
  create: {
    xml: metadataXml,
    readXml: readMetadataXml,
    handle: async api => {
      const { properties } = await imageOf(api, 'image_id');
      const added = isObject(api.body) ? api.body.metadata : undefined;
      if (added !== undefined && !isObject(added)) throw badRequest();
      const all = await imageProperties(api, { ...properties, ...added });
      return ok({ metadata: await save(api, all) });
    },
  },
  replace: {
    xml: metadataXml,
    readXml: readMetadataXml,
    handle: async api => {
      await imageOf(api, 'image_id');
      if (!isObject(api.body)) throw badRequest();
      const metadata = await imageProperties(api, api.body.metadata ?? {});
      await save(api, metadata);
      return ok({ metadata });
    },
  },
  update: {
    xml: metaItemXml,
    readXml: readMetaItemXml,
    handle: async api => {
      const meta = isObject(api.body) ? api.body.meta : undefined;
      if (!isObject(meta)) throw badRequest('Incorrect request body format');
      const key = param(api, 'id');
      if (!Object.hasOwn(meta, key)) throw badRequest('Request body and URI mismatch');
      if (Object.keys(meta).length > 1) throw badRequest('Request body contains too many items');
      const { properties } = await imageOf(api, 'image_id');
      await save(api, await imageProperties(api, { ...properties, ...meta }));
      return ok({ meta });
    },
  },
  delete: {
    handle: async api => {
      const { properties } = await imageOf(api, 'image_id');
      const key = param(api, 'id');
      if (!Object.hasOwn(properties, key)) throw notFound('Invalid metadata key');
      const { [key]: _gone, ...rest } = properties;
      await save(api, rest);
      return nothing(204);
    },
  },
};
