import Type from 'typebox';
import type { ComputeOperation } from '../http/api.ts';
import { badRequest, notFound } from '../http/faults.ts';
import { operation, refusedStates } from '../http/operation.ts';
import { readBy } from '../http/shapes.ts';
import { metadataXml, metaItemXml, readMetadataXml, readMetaItemXml } from './metadata-xml.ts';
import { metadataOf } from './server-body.ts';
import { metadataFaults } from './server-faults.ts';

const path = '/servers/:server_id/metadata';
const MALFORMED = 'Malformed request body';
const NO_ITEM = 'Metadata item was not found';
const missing = { InstanceNotFound: [404, 'Server does not exist'] } as const;
const faults = { ...missing, ...metadataFaults, ...refusedStates('update_instance_metadata') };

const metadata = readBy(metadataOf(MALFORMED), 'Keys and texts.');
const body = Type.Object({ metadata }, { says: MALFORMED });

export const serverMetadataOperations: readonly ComputeOperation[] = [
  operation({
    name: 'ListServerMetadata',
    about: 'Metadata of a server.',
    method: 'GET',
    path,
    policy: null,
    answers: 200,
    view: { xml: metadataXml },
    faults: missing,
    run: async ({ domain, context, params }) => ({
      metadata: await domain.servers.metadata(context, params.server_id),
    }),
  }),
  operation({
    name: 'ShowServerMetadataItem',
    about: 'One item of the metadata of a server.',
    method: 'GET',
    path: `${path}/:id`,
    policy: null,
    answers: 200,
    view: { xml: metaItemXml },
    faults: missing,
    run: async ({ domain, context, params }) => {
      const all = await domain.servers.metadata(context, params.server_id);
      if (!Object.hasOwn(all, params.id)) throw notFound(NO_ITEM);
      return { meta: { [params.id]: all[params.id] } };
    },
  }),
  ...(
    [
      ['AddServerMetadata', 'Adds metadata to a server; what has the same key is replaced.', 'POST', false],
      ['ReplaceServerMetadata', 'Replaces the metadata of a server.', 'PUT', true],
    ] as const
  ).map(([name, about, method, replace]) =>
    operation({
      name,
      about,
      method,
      path,
      policy: null,
      body,
      readXml: readMetadataXml,
      answers: 200,
      view: { xml: metadataXml },
      faults,
      run: async ({ domain, context, params, body: sent }) => ({
        metadata: await domain.servers.updateMetadata(context, params.server_id, sent.metadata, replace),
      }),
    }),
  ),
  operation({
    name: 'SetServerMetadataItem',
    about: 'Sets one item of the metadata of a server.',
    method: 'PUT',
    path: `${path}/:id`,
    policy: null,
    body: Type.Object({ meta: metadata }, { says: MALFORMED }),
    readXml: readMetaItemXml,
    answers: 200,
    view: { xml: metaItemXml },
    faults,
    run: async ({ domain, context, params, body: { meta } }) => {
      if (!Object.hasOwn(meta, params.id)) throw badRequest('Request body and URI mismatch');
      if (Object.keys(meta).length > 1) throw badRequest('Request body contains too many items');
      await domain.servers.updateMetadata(context, params.server_id, meta, false);
      return { meta };
    },
  }),
  operation({
    name: 'DeleteServerMetadataItem',
    about: 'Removes one item of the metadata of a server.',
    method: 'DELETE',
    path: `${path}/:id`,
    policy: null,
    answers: 204,
    faults: {
      ...missing,
      ...refusedStates('delete_instance_metadata'),
      InstanceMetadataNotFound: [404, NO_ITEM],
    },
    run: ({ domain, context, params }) => domain.servers.deleteMetadata(context, params.server_id, params.id),
  }),
];
