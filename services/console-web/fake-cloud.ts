import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a fake service was asked. */
export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A keystone with a member and an administrator of two projects, and services that answer as they are told; for tests. */
export interface FakeCloud {
  url: string;
  asked: Asked[];
  /** Tokens that are good, by the project they are for. */
  tokens: Map<string, string>;
  answer(handler: (asked: Asked, response: ServerResponse) => void): void;
  stop(): Promise<void>;
}

export const USER = { name: 'ann', password: 'right' };
/** Has the role admin. */
export const ADMIN = { name: 'root', password: 'right' };
const PROJECTS = [
  { id: 'p1', name: 'one', enabled: true },
  { id: 'p2', name: 'two', enabled: true },
  { id: 'p3', name: 'three', enabled: false },
];

export async function fakeCloud(): Promise<FakeCloud> {
  const asked: Asked[] = [];
  const tokens = new Map<string, string>();
  const users = new Map<string, string>();
  let handler: (asked: Asked, response: ServerResponse) => void = (_, response) => json(response, 200, {});
  let made = 0;

  const login = (text: string, response: ServerResponse, base: string) => {
    const { auth } = JSON.parse(text) as {
      auth: {
        tenantId?: string;
        token?: { id: string };
        passwordCredentials?: { username: string; password: string };
      };
    };
    const { token, passwordCredentials: given } = auth;
    const who = [USER, ADMIN].find(({ name, password }) =>
      token ? users.get(token.id) === name : given?.username === name && given.password === password,
    );
    if (who === undefined)
      return json(response, 401, { error: { code: 401, message: 'Invalid user / password' } });
    const project = PROJECTS.find(({ id }) => id === auth.tenantId);
    const id = `token-${++made}`;
    tokens.set(id, project?.id ?? '');
    users.set(id, who.name);
    const at = (type: string, path: string) => ({
      type,
      endpoints: [{ region: 'r', publicURL: `${base}/${path}`, adminURL: `${base}/${path}-admin` }],
    });
    json(response, 200, {
      access: {
        token: { id, expires: '2999-01-01T00:00:00Z', ...(project ? { tenant: project } : {}) },
        user: {
          id: who === USER ? 'u1' : 'u2',
          name: who.name,
          roles: [{ name: who === USER ? 'Member' : 'admin' }],
        },
        serviceCatalog: project
          ? [
              at('compute', `compute/v2/${project.id}`),
              at('identity', 'identity/v2.0'),
              at('image', 'image/v1'),
              at('object-store', 'object/v1/AUTH_1'),
            ]
          : [],
      },
    });
  };

  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { url = '', method = '', headers } = request;
    const entry = { method, url, headers, body };
    asked.push(entry);
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (url === '/v2.0/tokens') return login(body, response, base);
    if (!tokens.has(String(headers['x-auth-token'])))
      return json(response, 401, { error: { message: 'no' } });
    if (url === '/v2.0/tenants') return json(response, 200, { tenants: PROJECTS });
    handler(entry, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2.0`,
    asked,
    tokens,
    answer: next => {
      handler = next;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
