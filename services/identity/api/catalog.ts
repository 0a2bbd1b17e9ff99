import { isEndpointTemplate } from '@folsom/auth';
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
import { ADMIN, type Operation, objectOf } from './operation.ts';
import { textField } from './request-body.ts';

const COLUMN_CHARS_MAX = 255;
const URL_FIELDS = ['publicurl', 'internalurl', 'adminurl'];

/** Services and their endpoints. */
export function catalogOperations({ db, world, catalog }: Dependencies): Operation[] {
  const admin = { ports: ADMIN, access: 'admin' } as const;
  // The original's catalog of templates has no list of endpoints, and no place for new ones.
  const assertInDatabase = () => {
    if (catalog.fixed) throw fault('NotImplemented');
  };
  return [
    {
      name: 'get_services',
      method: 'GET',
      path: '/OS-KSADM/services',
      ...admin,
      handle: async () => ({ 'OS-KSADM:services': (await listServices(db.knex)).map(serviceView) }),
    },
    {
      name: 'get_service',
      method: 'GET',
      path: '/OS-KSADM/services/:service_id',
      ...admin,
      handle: async asked => ({
        'OS-KSADM:service': serviceView(await getService(db.knex, asked.params.service_id!)),
      }),
    },
    {
      name: 'create_service',
      method: 'POST',
      path: '/OS-KSADM/services',
      ...admin,
      body: { 'OS-KSADM:service': 'object' },
      handle: async asked => {
        const given = objectOf(asked, 'OS-KSADM:service');
        const service: Service = {
          id: newId(world),
          type: textField(given, 'type', COLUMN_CHARS_MAX) ?? null,
          extra: splitExtra(given, ['type']),
        };
        await createService(db.knex, service);
        catalog.invalidate();
        return { 'OS-KSADM:service': serviceView(service) };
      },
    },
    {
      name: 'delete_service',
      method: 'DELETE',
      path: '/OS-KSADM/services/:service_id',
      ...admin,
      handle: async asked => {
        await db.transaction(trx => deleteService(trx, asked.params.service_id!));
        catalog.invalidate();
        return undefined;
      },
    },
    {
      name: 'get_endpoints',
      method: 'GET',
      path: '/endpoints',
      ...admin,
      handle: async () => {
        assertInDatabase();
        return { endpoints: (await listEndpoints(db.knex)).map(endpointView) };
      },
    },
    {
      name: 'create_endpoint',
      method: 'POST',
      path: '/endpoints',
      ...admin,
      body: { endpoint: 'object' },
      handle: async asked => {
        assertInDatabase();
        const given = objectOf(asked, 'endpoint');
        const serviceId = textField(given, 'service_id', COLUMN_CHARS_MAX);
        if (serviceId === undefined) throw missing('service_id', 'endpoint');
        for (const field of URL_FIELDS) {
          const url = textField(given, field, Number.MAX_SAFE_INTEGER);
          // One template nobody can fill in would otherwise be in everybody's catalog.
          if (url !== undefined && !isEndpointTemplate(url))
            throw fault('MalformedEndpoint', { endpoint: url });
        }
        const endpoint: Endpoint = {
          id: newId(world),
          region: textField(given, 'region', COLUMN_CHARS_MAX) ?? null,
          serviceId,
          extra: splitExtra(given, ['region', 'service_id']),
        };
        await db.transaction(trx => createEndpoint(trx, endpoint));
        catalog.invalidate();
        return { endpoint: endpointView(endpoint) };
      },
    },
    {
      name: 'delete_endpoint',
      method: 'DELETE',
      path: '/endpoints/:endpoint_id',
      ...admin,
      handle: async asked => {
        assertInDatabase();
        await deleteEndpoint(db.knex, asked.params.endpoint_id!);
        catalog.invalidate();
        return undefined;
      },
    },
  ];
}
