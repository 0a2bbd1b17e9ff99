import type { Fault } from '@folsom/core';
import { flavorByFlavorId } from '@folsom/nova/flavors';
import { change } from '../../domain/actions.ts';
import { boot } from '../../domain/boot.ts';
import { deleteOrSoftDelete } from '../../domain/deletion.ts';
import { detailSources, detailsOf, listedFrom } from '../../domain/instance-details.ts';
import { listInstances } from '../../domain/listing.ts';
import { authorize } from '../../domain/policy.ts';
import { type Answer, nothing, ok } from '../http/answer.ts';
import type { Registry } from '../http/extension.ts';
import { badRequest, inState, notFound, tooLarge, translating, unprocessable } from '../http/faults.ts';
import { linksOf, selfHref } from '../http/links.ts';
import { type ApiRequest, entity, pageOf } from '../http/request.ts';
import type { Resource } from '../http/resource.ts';
import { serversText } from '../views/server-texts.ts';
import { serversView, serverTemplates, serverView } from '../views/servers.ts';
import { serverActions } from './server-actions.ts';
import { accessAddress, autoDiskConfig, readBoot, serverName } from './server-body.ts';
import { serverOf } from './server-lookup.ts';
import { readCreateXml } from './server-xml.ts';

/** `servers`, and under other names the same for os-create-server-ext and os-volumes_boot. */
export function serversResource(registry: Registry, path = 'servers'): Resource {
  const xml = serverTemplates(registry);
  return {
    path,
    index: {
      xml: xml.minimal,
      handle: async api => {
        const rows = await listInstances(api.deps, api.context, api.query, pageOf(api));
        const views = rows.map(row => ({
          id: row.uuid,
          name: row.display_name,
          links: linksOf(api, 'servers', row.uuid),
        }));
        return ok(serversView(api, rows, views));
      },
    },
    collection: {
      detail: {
        method: 'GET',
        xml: xml.detail,
        handle: async api => {
          const rows = await listInstances(api.deps, api.context, api.query, pageOf(api));
          const sources = await detailSources(api.deps, rows);
          if (api.format === 'json') return { status: 200, text: serversText(api, sources) };
          const views = sources.map(source => serverView(api, listedFrom(source)));
          return ok(serversView(api, rows, views));
        },
      },
    },
    show: {
      xml: xml.one,
      handle: async api => {
        const record = await serverOf(api);
        return ok({ server: serverView(api, await detailsOf(api.deps, record)) });
      },
    },
    create: { xml: xml.one, readXml: readCreateXml, handle: create },
    update: { xml: xml.one, handle: update },
    delete: {
      handle: async api => {
        const record = await serverOf(api);
        await inState('delete', () =>
          translating({ InstanceNotFound: () => notFound() }, () =>
            deleteOrSoftDelete(api.deps, api.context, record),
          ),
        );
        return nothing(204);
      },
    },
    actions: serverActions(xml.one),
  };
}

async function create(api: ApiRequest): Promise<Answer> {
  const { deps, context } = api;
  const read = readBoot(api);
  const booted = await translating(BOOT_FAULTS, async () => {
    const flavor = await flavorByFlavorId(deps.db.knex, read.flavorId, context);
    return boot(deps, context, { ...read.request, flavor });
  });
  if (read.returnReservationId) {
    const view = { reservation_id: booted.reservationId };
    return ok(api.bodyFormat === 'xml' ? { server: view } : view, { status: 202 });
  }
  const uuid = booted.uuids[0]!;
  const server: Record<string, unknown> = { id: uuid, links: linksOf(api, 'servers', uuid) };
  for (const add of deps.registry.serverCreated(api)) add(deps, server, booted.shown);
  if (deps.config.enable_instance_password) server.adminPass = read.request.adminPassword;
  return ok({ server }, { status: 202, headers: { location: selfHref(api, 'servers', uuid) } });
}

async function update(api: ApiRequest): Promise<Answer> {
  const body = entity(api.body, 'server');
  if (!body) throw unprocessable();
  const changes: Record<string, unknown> = {};
  if ('name' in body) changes.display_name = serverName(body.name);
  for (const version of [4, 6] as const) {
    const key = `accessIPv${version}`;
    if (key in body) changes[`access_ip_v${version}`] = accessAddress(version, body[key] ?? '');
  }
  const disk = autoDiskConfig(api, body);
  if (disk !== undefined) changes.auto_disk_config = disk;
  if ('hostId' in body) throw badRequest('HostId cannot be updated.');
  const record = await serverOf(api);
  authorize(api.deps, api.context, 'compute:update', {
    project_id: record.project_id,
    user_id: record.user_id,
  });
  const updated = await change(api.deps, api.context, record, changes);
  return ok({ server: serverView(api, await detailsOf(api.deps, updated)) });
}

/** The faults of a boot as the server resource words them. */
const BOOT_FAULTS: Record<string, (error: Fault) => Fault> = {
  TooManyInstances: error => tooLarge(error.message, 0),
  MetadataLimitExceeded: error => tooLarge(error.message, 0),
  OnsetFileLimitExceeded: error => tooLarge(error.message, 0),
  OnsetFilePathLimitExceeded: error => tooLarge(error.message, 0),
  OnsetFileContentLimitExceeded: error => tooLarge(error.message, 0),
  InvalidMetadataSize: error => tooLarge(error.message),
  InvalidMetadata: error => badRequest(error.message),
  InstanceTypeMemoryTooSmall: error => badRequest(error.message),
  InstanceTypeDiskTooSmall: error => badRequest(error.message),
  InstanceTypeNotFound: error => badRequest(error.message),
  ImageNotFound: () => badRequest('Can not find requested image'),
  ImageNotAuthorized: () => badRequest('Can not find requested image'),
  FlavorNotFound: () => badRequest('Invalid flavorRef provided.'),
  KeypairNotFound: () => badRequest('Invalid key_name provided.'),
  SecurityGroupNotFound: error => badRequest(error.message),
  SecurityGroupNotFoundForProject: error => badRequest(error.message),
};
