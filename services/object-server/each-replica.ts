import {
  countAnswer,
  EACH_BY_ITSELF,
  type EachAnswer,
  type EachMethod,
  invalidDeviceOrPartition,
  isMounted,
  splitEach,
} from '@folsom/swift';
import { answer, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import { deleteObject } from './change-object.ts';
import type { ObjectRequest, ObjectServerContext } from './context.ts';
import { objectPlace } from './object-file.ts';
import { putReplicas } from './put-object.ts';
import { changeFailed } from './refusal.ts';

/** What the path of such a request names. */
export interface EachNames {
  partition: string;
  account: string;
  container: string;
  object: string;
}

type Change = (
  context: ObjectServerContext,
  requests: readonly ObjectRequest[],
) => Promise<readonly ServerResponse[]>;

const CHANGES: Readonly<Record<EachMethod, Change>> = {
  PUT: putReplicas,
  DELETE: (context, requests) =>
    Promise.all(
      requests.map(request =>
        deleteObject(context, request).catch(error => changeFailed(context, request, error)),
      ),
    ),
};

/** Changes an object on several devices at once. Where one of them cannot be used, all are to come by themselves. */
export async function changeEach(
  context: ObjectServerContext,
  method: EachMethod,
  http: ServerRequest,
  names: EachNames,
): Promise<ServerResponse> {
  const requests = requestsOf(context, method, http, names);
  if ('status' in requests) return requests;
  const { world } = context;
  const started = world.clock.monotonic();
  const responses = await CHANGES[method](context, requests);
  const ms = world.clock.monotonic() - started;
  for (const { status } of responses) countAnswer(world, 'object-server', method, status, ms);
  const answers = responses.map(({ status, headers, body }): EachAnswer => {
    return [status, headers.get('etag') ?? '', Buffer.isBuffer(body) ? body.toString('latin1') : ''];
  });
  return {
    status: 200,
    headers: new Map([['content-type', 'application/json']]),
    body: Buffer.from(JSON.stringify(answers)),
  };
}

/** The requests that one stands for. */
function requestsOf(
  { options, pathHash }: ObjectServerContext,
  method: EachMethod,
  http: ServerRequest,
  { partition, account, container, object }: EachNames,
): ObjectRequest[] | ServerResponse {
  const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
  const each = splitEach(http.headers);
  if (!each) return bad('no devices');
  const requests: ObjectRequest[] = [];
  for (const { device, headers } of each) {
    const wrong = invalidDeviceOrPartition(device, partition);
    if (wrong) return bad(wrong);
    if (options.mountCheck && !isMounted(options.devices, device)) return answer(EACH_BY_ITSELF, http);
    const directory = `${options.devices}/${device}`;
    requests.push({
      http: { ...http, method, headers },
      ...{ account, container, object, deviceName: device },
      place: objectPlace(pathHash, directory, partition, account, container, object),
    });
  }
  return requests;
}
