import { answer, dropBody, quotePath, type ServerResponse } from '@folsom/swift-http';
import { type ReadResponse, readFrom, readingFor } from './backend-read.ts';
import { containerInfo, Unknown } from './info.ts';
import { readManifest } from './manifest.ts';
import { type ProxyCore, placeOf, shuffled, usableNodes } from './nodes.ts';
import type { ProxyRequest } from './request.ts';

/** Reads the object itself, whatever a manifest header in it may say. */
export function readObject(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ReadResponse> {
  const place = placeOf(core, 'object', account, container, object);
  const order = { ...place, nodes: place.nodes.length > 1 ? shuffled(place.nodes, core.world) : place.nodes };
  return readFrom(
    core,
    readingFor(request, {
      kind: 'object',
      place,
      nodes: usableNodes(core, 'object', order),
      path: quotePath(`/${account}/${container}/${object}`),
    }),
  );
}

/** GET and HEAD of an object. */
export async function handleObjectRead(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ReadResponse | ServerResponse> {
  const info = await containerInfo(core, request, account, container).catch(error => {
    if (!(error instanceof Unknown)) throw error;
    return error;
  });
  // Its owner reads on while nobody knows of the container; whether others may is not known either.
  const unknown = info instanceof Unknown;
  request.acl = unknown ? undefined : info?.readAcl;
  const refused = request.authorize?.(request);
  if (refused) return unknown ? answer(503, request) : refused;
  let response = await readObject(core, request, account, container, object);
  // A range that the manifest object itself does not have may well be one of the whole.
  const range = request.headers.get('range');
  if (range !== undefined && (response.status === 416 || response.headers.has('x-object-manifest'))) {
    const whole: ProxyRequest = { ...request, headers: new Map(request.headers) };
    whole.headers.delete('range');
    const second = await readObject(core, whole, account, container, object);
    if (!second.headers.has('x-object-manifest')) {
      dropBody(second);
      return response;
    }
    dropBody(response);
    response = second;
  }
  const manifest = response.headers.get('x-object-manifest');
  if (manifest === undefined || response.status >= 300) return response;
  return readManifest(core, request, account, manifest, response);
}
