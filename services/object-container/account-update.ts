import type { ContainerDb, ContainerStat } from '@folsom/container-db';
import type { Headers } from '@folsom/swift-http';
import { answer, internalText, quotePath, type ServerResponse } from '@folsom/swift-http';
import type { ContainerContext, ContainerRequest } from './context.ts';

/** What an account is told of a container. */
function toldHeaders(headers: Headers, stat: ContainerStat): [string, string][] {
  const told: [string, string][] = [
    ['X-Put-Timestamp', stat.put_timestamp],
    ['X-Delete-Timestamp', stat.delete_timestamp],
    ['X-Object-Count', String(stat.object_count)],
    ['X-Bytes-Used', String(stat.bytes_used)],
    ['X-Trans-Id', headers.get('x-trans-id') ?? '-'],
  ];
  if (headers.get('x-account-override-deleted')?.toLowerCase() === 'yes')
    told.push(['X-Account-Override-Deleted', 'yes']);
  return told;
}

/** Tells the account server named in the request; an answer if that one does not know the account. */
export async function updateAccount(
  { client, connectTimeoutMs, nodeTimeoutMs, log }: ContainerContext,
  { headers, http, account, container }: ContainerRequest,
  db: ContainerDb,
): Promise<ServerResponse | null> {
  const host = headers.get('x-account-host');
  const partition = headers.get('x-account-partition');
  const device = headers.get('x-account-device');
  if (!host || !partition || !device) return null;
  await db.commitPending();
  const colon = host.lastIndexOf(':');
  try {
    const response = await client.request(
      { ip: host.slice(0, colon), port: Number(host.slice(colon + 1)) },
      {
        method: 'PUT',
        path: quotePath(`/${device}/${partition}/${account}/${container}`),
        headers: toldHeaders(headers, db.stat()),
        connectTimeoutMs,
        timeoutMs: nodeTimeoutMs,
      },
    );
    await internalText(response);
    const { status } = response;
    if (status === 404) return answer(404, http);
    if (status >= 300)
      log.error('account update refused; the updater will try again', { host, device, status });
  } catch (error) {
    log.error('account update failed; the updater will try again', { host, device, error });
  }
  return null;
}
