import { metadataElement, NOVA_NS, readMetadata, type XmlTemplate } from '@folsom/wire/nova-xml';
import { getInstance } from '../../domain/instances.ts';
import { deleteMetadata, metadataFrom, updateMetadata } from '../../domain/metadata.ts';
import { nothing, ok } from '../http/answer.ts';
import { badRequest, inState, notFound, tooLarge, translating } from '../http/faults.ts';
import { type ApiRequest, isObject, type JsonObject, param } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';

const namespaces = { '': NOVA_NS.v11 };
export const metadataXml: XmlTemplate = { ...metadataElement, namespaces };
export const metaItemXml: XmlTemplate = {
  tag: 'meta',
  at: ({ meta }: { meta: JsonObject }) => Object.assign({}, Object.entries(meta)[0]),
  attributes: { key: '0' },
  text: '1',
  namespaces,
};
export const readMetadataXml: NonNullable<NonNullable<Resource['create']>['readXml']> = root => ({
  metadata: root.name === 'metadata' ? readMetadata(root) : {},
});
export const readMetaItemXml: NonNullable<NonNullable<Resource['create']>['readXml']> = root => ({
  meta: root.name === 'meta' ? { [root.attributes.key ?? '']: root.text } : {},
});

const serverOf = (api: ApiRequest) =>
  translating({ InstanceNotFound: () => notFound('Server does not exist') }, () =>
    getInstance(api.deps, api.context, param(api, 'server_id')),
  );

async function write(api: ApiRequest, metadata: unknown, replace: boolean): Promise<Record<string, string>> {
  const server = await serverOf(api);
  if (!isObject(metadata)) throw badRequest('Malformed request body');
  const texts = Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => {
      if (typeof value === 'string') return [key, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [key, String(value)];
      throw badRequest('Malformed request body');
    }),
  );
  return inState('update_instance_metadata', () =>
    translating(
      {
        InvalidMetadata: error => badRequest(error.message),
        InvalidMetadataSize: error => tooLarge(error.message),
        MetadataLimitExceeded: error => tooLarge(error.message, 0),
      },
      () => updateMetadata(api.deps, api.context, server, texts, replace),
    ),
  );
}

const container = (body: unknown): unknown => {
  if (!isObject(body) || !('metadata' in body)) throw badRequest('Malformed request body');
  return body.metadata;
};

export const serverMetadata: Resource = {
  path: 'servers/:server_id/metadata',
  index: {
    xml: metadataXml,
    handle: async api => ok({ metadata: metadataFrom(await serverOf(api)) }),
  },
  show: {
    xml: metaItemXml,
    handle: async api => {
      const metadata = metadataFrom(await serverOf(api));
      const key = param(api, 'id');
      if (!Object.hasOwn(metadata, key)) throw notFound('Metadata item was not found');
      return ok({ meta: { [key]: metadata[key] } });
    },
  },
  create: {
    xml: metadataXml,
    readXml: readMetadataXml,
    handle: async api => ok({ metadata: await write(api, container(api.body), false) }),
  },
  replace: {
    xml: metadataXml,
    readXml: readMetadataXml,
    handle: async api => ok({ metadata: await write(api, container(api.body), true) }),
  },
  update: {
    xml: metaItemXml,
    readXml: readMetaItemXml,
    handle: async api => {
      const meta = isObject(api.body) ? api.body.meta : undefined;
      if (!isObject(meta)) throw badRequest('Malformed request body');
      if (!Object.hasOwn(meta, param(api, 'id'))) throw badRequest('Request body and URI mismatch');
      if (Object.keys(meta).length > 1) throw badRequest('Request body contains too many items');
      await write(api, meta, false);
      return ok({ meta });
    },
  },
  delete: {
    handle: async api => {
      const server = await serverOf(api);
      const key = param(api, 'id');
      if (!Object.hasOwn(metadataFrom(server), key)) throw notFound('Metadata item was not found');
      await inState('delete_instance_metadata', () => deleteMetadata(api.deps, api.context, server, key));
      return nothing(204);
    },
  },
};
