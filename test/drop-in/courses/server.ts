import type { Access, Login } from '../access.ts';
import { same, until } from '../rest.ts';

/** Flavors that every Folsom has. */
export const TINY = '1';
export const SMALL = '2';

export interface Server {
  id: string;
  name: string;
  status: string;
  addresses: Record<string, { addr: string }[]>;
  flavor: { id: string };
  // biome-ignore lint/suspicious/noExplicitAny: what extensions add
  [attribute: string]: any;
}

export const showServer = async ({ compute }: Login, id: string): Promise<Server> =>
  (await compute('GET', `/servers/${id}`)).json.server;

/** Waits for a status with nothing going on; one in ERROR is not waited for. */
export const serverIs = (login: Login, id: string, status: string): Promise<Server> =>
  until(`server ${status}`, async () => {
    await login.rows.serverAtRest(id);
    const server = await showServer(login, id);
    if (server.status === 'ERROR' && status !== 'ERROR')
      throw new Error(`in ERROR, not ${status}: ${JSON.stringify(server.fault)}`);
    return server.status === status && !server['OS-EXT-STS:task_state'] ? server : undefined;
  });

/** Boots and waits until the server is there with an address. */
export async function boot(
  { image }: Access,
  login: Login,
  name: string,
  more: Record<string, unknown> = {},
): Promise<Server> {
  const server = { name, imageRef: image, flavorRef: TINY, min_count: 1, max_count: 1, ...more };
  const { id } = (await login.compute('POST', '/servers', { body: { server }, status: 202 })).json.server;
  const there = await serverIs(login, id, 'ACTIVE');
  same('addresses', there.addresses.private?.length, 1);
  return there;
}

export const act = ({ compute }: Login, id: string, action: string, of: unknown = null) =>
  compute('POST', `/servers/${id}/action`, { body: { [action]: of } });

/** Deletes and waits until it is gone. */
export async function destroy(login: Login, id: string): Promise<void> {
  await login.compute('DELETE', `/servers/${id}`, { status: 204 });
  await login.rows.serverGone(id);
  await until('server gone', async () => {
    const { servers } = (await login.compute('GET', '/servers')).json;
    return servers.some((one: Server) => one.id === id) ? undefined : true;
  });
}
