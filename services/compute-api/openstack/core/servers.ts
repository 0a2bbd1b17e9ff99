import { must } from '@folsom/core';
import { answer } from '@folsom/http/operation';
import type { BootRequest } from '../../domain/boot-request.ts';
import { listedFrom } from '../../domain/instance-details.ts';
import type { ServerChanges } from '../../domain/rebuild.ts';
import type { Caller, ComputeOperation, Registry, ServerAttributes } from '../http/api.ts';
import { selfHref } from '../http/links.ts';
import { operation, refusedStates } from '../http/operation.ts';
import { markerQuery } from '../http/paging.ts';
import { serversText } from '../views/server-texts.ts';
import { acceptedServer, type ServerViews, serverViews } from '../views/servers.ts';
import { serverActions } from './server-actions.ts';
import { bootShape, serverBody, updateShape } from './server-body.ts';
import { bootFaults, bootThrows, listThrows } from './server-faults.ts';
import { readCreateXml } from './server-xml.ts';

/** Any name may be a filter: administrators search by columns. */
const query = markerQuery;

/** A page of rows that match what was asked. */
const listed = (caller: Caller, page: { marker?: string; limit?: number }) => {
  const max = caller.api.config.osapi_max_limit;
  return caller.api.domain.servers.list(caller, new URLSearchParams(caller.search), {
    limit: Math.min(max, page.limit ?? max),
    marker: page.marker,
  });
};

const listOperations = (server: ServerViews): ComputeOperation[] => [
  operation({
    name: 'ListServers',
    about: 'Servers of the tenant, newest first: their ids and names.',
    method: 'GET',
    path: '/servers',
    policy: null,
    query,
    answers: 200,
    view: server.summaries,
    throws: listThrows,
    run: async ({ context, query: page }) => server.summaries.json(await listed(context, page), context),
  }),
  operation({
    name: 'ListServerDetails',
    about: 'Servers of the tenant, newest first.',
    method: 'GET',
    path: '/servers/detail',
    policy: null,
    query,
    answers: 200,
    view: server.details,
    throws: listThrows,
    run: async ({ domain, context, query: page }) => {
      const rows = await listed(context, page);
      const sources = await domain.servers.sources(rows);
      if (context.format === 'json') return answer({ bytes: serversText(server, context, sources) });
      return server.details.json(sources.map(listedFrom), context);
    },
  }),
];

interface BootBody {
  server: BootServer;
}
interface BootServer {
  adminPass?: string;
  name: string;
  imageRef: string;
  flavorRef: string;
  personality?: [string, string][];
  accessIPv4?: string | null;
  accessIPv6?: string | null;
  metadata?: Record<string, string>;
}

/** What the body asks for, read by the core and by whichever extensions are loaded. */
function bootOf(body: BootBody, attributes: readonly ServerAttributes[]): BootRequest {
  const { server } = body;
  const request: BootRequest = {
    flavor: { id: server.flavorRef },
    imageId: server.imageRef,
    name: server.name,
    minCount: 1,
    maxCount: 1,
    keyName: null,
    metadata: server.metadata ?? {},
    injectedFiles: server.personality ?? [],
    ...(server.adminPass === undefined ? {} : { adminPassword: server.adminPass }),
    securityGroups: ['default'],
    networks: null,
    availabilityZone: null,
    userData: null,
    configDrive: null,
    blockDevices: [],
    accessIpV4: server.accessIPv4 ?? null,
    accessIpV6: server.accessIPv6 ?? null,
    autoDiskConfig: null,
    schedulerHints: {},
  };
  for (const attribute of attributes) {
    Object.assign(request, attribute.readBoot(server as never, body as never));
  }
  return request;
}

function bootOperation(registry: Registry, views: ServerViews): ComputeOperation {
  const { attributes } = registry;
  return operation({
    name: 'BootServer',
    about: 'Boots one server, or several at once.',
    method: 'POST',
    path: '/servers',
    policy: null,
    body: serverBody(
      Object.assign({}, bootShape, ...attributes.map(attribute => attribute.shape)) as typeof bootShape,
      Object.assign({}, ...attributes.map(attribute => attribute.beside)) as Record<never, never>,
    ),
    readXml: root => readCreateXml(root, attributes),
    answers: 202,
    view: views.one,
    faults: bootFaults,
    throws: bootThrows,
    run: async ({ domain, context, body }) => {
      const booted = await domain.servers.boot(context, bootOf(body, attributes));
      for (const attribute of attributes) {
        const document = attribute.answerBoot(body.server as never, booted, context);
        if (document !== undefined) return document;
      }
      const uuid = must(booted.uuids[0], 'uuids is not empty');
      const server = acceptedServer(uuid, booted.shown, context);
      if (context.api.config.enable_instance_password) server.adminPass = booted.adminPassword;
      const headers = { location: selfHref(context, 'servers', uuid) };
      return answer({ document: { server }, headers });
    },
  });
}

function updateOperation(registry: Registry, views: ServerViews): ComputeOperation {
  const { attributes } = registry;
  return operation({
    name: 'UpdateServer',
    about: 'Changes the name of a server or the addresses it is reached by.',
    method: 'PUT',
    path: '/servers/:id',
    policy: null,
    body: serverBody(
      Object.assign({}, updateShape, ...attributes.map(item => item.changeShape)) as typeof updateShape,
    ),
    answers: 200,
    view: views.one,
    throws: ['InstanceNotFound', 'UnexpectedTaskStateError'],
    run: async ({ domain, context, params, body: { server } }) => {
      const changes: ServerChanges = {
        ...(server.name === undefined ? {} : { display_name: server.name }),
        ...(server.accessIPv4 === undefined ? {} : { access_ip_v4: server.accessIPv4 }),
        ...(server.accessIPv6 === undefined ? {} : { access_ip_v6: server.accessIPv6 }),
      };
      for (const attribute of attributes) Object.assign(changes, attribute.readChanges(server as never));
      const changed = await domain.servers.change(context, params.id, changes);
      return views.one.json(changed, context);
    },
  });
}

export function serverOperations(registry: Registry): readonly ComputeOperation[] {
  const views = serverViews(registry);
  return [
    ...listOperations(views),
    operation({
      name: 'ShowServer',
      about: 'A server.',
      method: 'GET',
      path: '/servers/:id',
      policy: null,
      answers: 200,
      view: views.one,
      throws: ['InstanceNotFound'],
      run: async ({ domain, context, params }) =>
        views.one.json(await domain.servers.show(context, params.id), context),
    }),
    bootOperation(registry, views),
    updateOperation(registry, views),
    operation({
      name: 'DeleteServer',
      about: 'Ends a server in whatever state it is.',
      method: 'DELETE',
      path: '/servers/:id',
      policy: null,
      answers: 204,
      faults: refusedStates('delete'),
      throws: ['InstanceNotFound'],
      run: ({ domain, context, params }) => domain.servers.delete(context, params.id),
    }),
    ...serverActions(registry, views),
  ];
}
