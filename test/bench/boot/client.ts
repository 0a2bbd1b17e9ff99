import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A user of the cloud whose state lies in `dir`. */
export interface Client {
  /** Of the compute API, with the tenant. */
  url: string;
  headers: Readonly<Record<string, string>>;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Asks until the server is as wanted; milliseconds since `from`. */
  until(id: string, status: string, from: number, pauseMs: number): Promise<number>;
  gone(id: string): Promise<void>;
}

const LIMIT_MS = 180_000;

export async function login(dir: string, file: 'openrc' | 'openrc-demo' = 'openrc'): Promise<Client> {
  const text = await readFile(join(dir, file), 'utf8');
  const rc = Object.fromEntries(
    [...text.matchAll(/^export (\w+)='?(.*?)'?$/gm)].map(found => [found[1]!, found[2]!]),
  );
  const answer = await fetch(`${rc.OS_AUTH_URL}/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        tenantName: rc.OS_TENANT_NAME,
        passwordCredentials: { username: rc.OS_USERNAME, password: rc.OS_PASSWORD },
      },
    }),
  });
  const { access } = (await answer.json()) as {
    access: {
      token: { id: string };
      serviceCatalog: { type: string; endpoints: { publicURL: string }[] }[];
    };
  };
  const url = access.serviceCatalog.find(service => service.type === 'compute')!.endpoints[0]!.publicURL;
  const headers = { 'x-auth-token': access.token.id, 'content-type': 'application/json' };
  const ask = async (method: string, path: string, body?: unknown) => {
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${url}/${path}`, init);
    return { status: response.status, text: await response.text() };
  };
  const client: Client = {
    url,
    headers,
    async call(method, path, body) {
      const { status, text: answered } = await ask(method, path, body);
      if (status >= 300) throw new Error(`${method} ${path}: ${status} ${answered}`);
      return (answered === '' ? undefined : JSON.parse(answered)) as never;
    },
    async until(id, status, from, pauseMs) {
      while (performance.now() - from < LIMIT_MS) {
        const { server } = await client.call<{ server: { status: string } }>('GET', `servers/${id}`);
        if (server.status === status) return performance.now() - from;
        if (server.status === 'ERROR') throw new Error(JSON.stringify(server));
        await new Promise(resolve => setTimeout(resolve, pauseMs));
      }
      throw new Error(`${id} is not ${status} after ${LIMIT_MS} ms`);
    },
    async gone(id) {
      await client.call('DELETE', `servers/${id}`);
      while ((await ask('GET', `servers/${id}`)).status !== 404) {
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    },
  };
  return client;
}

/** The middle of the figures. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;
