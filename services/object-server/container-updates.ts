import { must } from '@folsom/core';
import { pickle } from '@folsom/pickle';
import { normalizeTimestamp, statsOf } from '@folsom/swift';
import { bytesFromUtf8, type Headers, quotePath } from '@folsom/swift-http';
import type { ObjectRequest, ObjectServerContext } from './context.ts';
import { writeDurably } from './durable-file.ts';

/** What a container's listing is told. */
export interface ContainerUpdate {
  op: 'PUT' | 'DELETE';
  account: string;
  container: string;
  object: string;
  headers: Record<string, string>;
}

/** The container server that is told first. */
interface Teller {
  host: string;
  partition: string;
  device: string;
}

/** Tells the object's container of a change, as the request's headers say where; nothing without them. */
export async function updateContainer(
  context: ObjectServerContext,
  request: ObjectRequest,
  op: 'PUT' | 'DELETE',
  headers: Record<string, string>,
): Promise<void> {
  const to = tellerOf(request.http.headers, 'x-container');
  if (!to) return;
  const { account, container, object } = request;
  const transaction = request.http.headers.get('x-trans-id') ?? '-';
  await tellOrKeep(
    context,
    request,
    { op, account, container, object, headers: { ...headers, 'x-trans-id': transaction } },
    to,
  );
}

/** Tells the hidden containers of expiring objects that an object's end was set or taken back. */
export async function updateDeleteAt(
  context: ObjectServerContext,
  request: ObjectRequest,
  op: 'PUT' | 'DELETE',
  deleteAt: number,
): Promise<void> {
  const { options } = context;
  const { http, account, container, object } = request;
  const capped = Math.max(0, Math.min(deleteAt, 9_999_999_999));
  const headers: Record<string, string> = {
    'x-timestamp': must(http.headers.get('x-timestamp'), 'the headers have x-timestamp'),
    'x-trans-id': http.headers.get('x-trans-id') ?? '-',
  };
  if (op === 'PUT') {
    headers['x-size'] = '0';
    headers['x-content-type'] = 'text/plain';
    headers['x-etag'] = 'd41d8cd98f00b204e9800998ecf8427e';
  }
  const update: ContainerUpdate = {
    op,
    account: options.expiringObjectsAccount,
    container: String(Math.floor(capped / options.expiringObjectsDivisor) * options.expiringObjectsDivisor),
    object: `${capped}-${account}/${container}/${object}`,
    headers,
  };
  await tellOrKeep(context, request, update, op === 'PUT' ? tellerOf(http.headers, 'x-delete-at') : null);
}

function tellerOf(headers: Headers, prefix: string): Teller | null {
  const host = headers.get(`${prefix}-host`);
  const partition = headers.get(`${prefix}-partition`);
  const device = headers.get(`${prefix}-device`);
  return host && partition && device ? { host, partition, device } : null;
}

/** Sends an update; one that does not arrive is kept on the device for the updater. */
async function tellOrKeep(
  context: ObjectServerContext,
  request: ObjectRequest,
  update: ContainerUpdate,
  to: Teller | null,
): Promise<void> {
  if (to && (await tell(context, update, to))) return;
  await keepUpdate(context, request.place.device, update);
}

async function tell(context: ObjectServerContext, update: ContainerUpdate, to: Teller): Promise<boolean> {
  const { updates, world } = context;
  const { host, device } = to;
  const colon = host.lastIndexOf(':');
  const target = { ip: host.slice(0, colon), port: Number(host.slice(colon + 1)) };
  try {
    const path = updatePath(device, to.partition, update);
    const status = await updates.send(target, [update.op, path, update.headers]);
    if (status >= 200 && status < 300) return true;
    world.log.error('container update failed, kept for later', { status, host, device });
  } catch (error) {
    const reason = (error as Error).message;
    world.log.error('container update failed, kept for later', { host, device, reason });
  }
  return false;
}

export const updatePath = (
  device: string,
  partition: string | number,
  update: Pick<ContainerUpdate, 'account' | 'container' | 'object'>,
): string => quotePath(`/${device}/${partition}/${update.account}/${update.container}/${update.object}`);

/** Keeps an update in `async_pending`, in the original's form; on disk when this resolves. */
async function keepUpdate(
  context: Pick<ObjectServerContext, 'pathHash' | 'world'>,
  device: string,
  update: ContainerUpdate,
): Promise<void> {
  const hash = context.pathHash.hex(update.account, update.container, update.object);
  const name = `${hash}-${normalizeTimestamp(must(update.headers['x-timestamp'], 'x-timestamp is in headers'))}`;
  const path = `${device}/async_pending/${hash.slice(-3)}/${name}`;
  const kept = {
    op: update.op,
    account: bytesFromUtf8(update.account),
    container: bytesFromUtf8(update.container),
    obj: bytesFromUtf8(update.object),
    headers: update.headers,
  };
  statsOf(context.world).count('async_pendings');
  await writeDurably(device, path, pickle(kept, { strings: 'latin1' }), context.world.random);
}
