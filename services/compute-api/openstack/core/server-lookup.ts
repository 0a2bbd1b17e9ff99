import { instanceRecord } from '@folsom/nova/instance-records';
import { detailsOf } from '../../domain/instance-details.ts';
import { getInstance } from '../../domain/instances.ts';
import { notFound, translating } from '../http/faults.ts';
import { type ApiRequest, param } from '../http/request.ts';
import { serverView } from '../views/servers.ts';

/** An instance of the path, or the resource's bare 404. */
export const serverOf = (api: ApiRequest, name = 'id') =>
  translating({ InstanceNotFound: () => notFound() }, () =>
    getInstance(api.deps, api.context, param(api, name)),
  );

/** The server with a fresh reading of everything a view shows. */
export async function shown(api: ApiRequest, uuid: string): Promise<Record<string, unknown>> {
  const record = await instanceRecord(api.deps.db.knex, uuid, { readDeleted: 'yes' });
  return serverView(api, await detailsOf(api.deps, record));
}
