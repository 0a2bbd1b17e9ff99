import { isEndpointTemplate } from '@folsom/auth';
import type { Problem } from '@folsom/http/operation';
import Type from 'typebox';
import { fault, missing } from '../faults.ts';
import {
  createEndpoint,
  createService,
  deleteEndpoint,
  deleteService,
  type Endpoint,
  endpointView,
  getService,
  listEndpoints,
  listServices,
  type Service,
  serviceView,
} from '../repositories/catalog.ts';
import { splitExtra } from '../repositories/stored-json.ts';
import { type Dependencies, newId } from './dependencies.ts';
import { forAdmins, operation } from './operation.ts';
import { optionalText, wrapped } from './shapes.ts';

const COLUMN_CHARS_MAX = 255;

// One template nobody can fill in would otherwise be in everybody's catalog.
const endpointUrl = Type.Optional(
  Type.Union([Type.Null(), Type.Refine(Type.String(), isEndpointTemplate)], {
    says: ({ path, value }: Problem) =>
      typeof value === 'string'
        ? fault('MalformedEndpoint', { endpoint: value })
        : missing(`text as ${path.at(-1)}`),
  }),
);
const serviceId = Type.String({
  maxLength: COLUMN_CHARS_MAX,
  says: ({ value }: Problem) => {
    if (value === undefined || value === null) return missing('service_id', 'endpoint');
    return typeof value === 'string'
      ? fault('ValidationSizeError', { attribute: 'service_id', size: COLUMN_CHARS_MAX })
      : missing('text as service_id');
  },
});

// The original's catalog of templates has no list of endpoints, and no place for new ones.
const assertInDatabase = ({ catalog }: Dependencies) => {
  if (catalog.fixed) throw fault('NotImplemented');
};

/** Services and their endpoints. */
export const catalogOperations = [
  operation({
    name: 'get_services',
    about: 'All services.',
    method: 'GET',
    path: '/OS-KSADM/services',
    ...forAdmins,
    answers: 200,
    run: async ({ domain: { db } }) => ({
      'OS-KSADM:services': (await listServices(db.knex)).map(serviceView),
    }),
  }),
  operation({
    name: 'get_service',
    about: 'One service.',
    method: 'GET',
    path: '/OS-KSADM/services/:service_id',
    ...forAdmins,
    answers: 200,
    throws: ['ServiceNotFound'],
    run: async ({ domain: { db }, params }) => ({
      'OS-KSADM:service': serviceView(await getService(db.knex, params.service_id)),
    }),
  }),
  operation({
    name: 'create_service',
    about: 'Makes a service.',
    method: 'POST',
    path: '/OS-KSADM/services',
    ...forAdmins,
    body: wrapped('OS-KSADM:service', { type: optionalText(COLUMN_CHARS_MAX) }),
    answers: 200,
    run: async ({ domain: { db, world, catalog }, body }) => {
      const given = body['OS-KSADM:service'];
      const service: Service = {
        id: newId(world),
        type: given.type ?? null,
        extra: splitExtra(given, ['type']),
      };
      await createService(db.knex, service);
      catalog.invalidate();
      return { 'OS-KSADM:service': serviceView(service) };
    },
  }),
  operation({
    name: 'delete_service',
    about: 'Deletes a service and its endpoints.',
    method: 'DELETE',
    path: '/OS-KSADM/services/:service_id',
    ...forAdmins,
    answers: 204,
    throws: ['ServiceNotFound'],
    run: async ({ domain: { db, catalog }, params }) => {
      await db.transaction(trx => deleteService(trx, params.service_id));
      catalog.invalidate();
      return undefined;
    },
  }),
  operation({
    name: 'get_endpoints',
    about: 'All endpoints.',
    method: 'GET',
    path: '/endpoints',
    ...forAdmins,
    answers: 200,
    throws: ['NotImplemented'],
    run: async ({ domain }) => {
      assertInDatabase(domain);
      return { endpoints: (await listEndpoints(domain.db.knex)).map(endpointView) };
    },
  }),
  operation({
    name: 'create_endpoint',
    about: 'Makes an endpoint of a service.',
    method: 'POST',
    path: '/endpoints',
    ...forAdmins,
    body: wrapped('endpoint', {
      service_id: serviceId,
      publicurl: endpointUrl,
      internalurl: endpointUrl,
      adminurl: endpointUrl,
      region: optionalText(COLUMN_CHARS_MAX),
    }),
    answers: 200,
    throws: ['NotImplemented', 'ServiceNotFound'],
    run: async ({ domain, body: { endpoint: given } }) => {
      assertInDatabase(domain);
      const endpoint: Endpoint = {
        id: newId(domain.world),
        region: given.region ?? null,
        serviceId: given.service_id,
        extra: splitExtra(given, ['region', 'service_id']),
      };
      await domain.db.transaction(trx => createEndpoint(trx, endpoint));
      domain.catalog.invalidate();
      return { endpoint: endpointView(endpoint) };
    },
  }),
  operation({
    name: 'delete_endpoint',
    about: 'Deletes an endpoint.',
    method: 'DELETE',
    path: '/endpoints/:endpoint_id',
    ...forAdmins,
    answers: 204,
    throws: ['NotImplemented', 'EndpointNotFound'],
    run: async ({ domain, params }) => {
      assertInDatabase(domain);
      await deleteEndpoint(domain.db.knex, params.endpoint_id);
      domain.catalog.invalidate();
      return undefined;
    },
  }),
];
