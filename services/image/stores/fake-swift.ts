import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';

interface KeystoneLogin {
  auth: { tenantName: string; passwordCredentials: { username: string; password: string } };
}

/** For tests: a swift account with both kinds of login, kept in memory. */
export interface FakeSwift {
  /** Addresses to log in at, version 1 and 2. */
  auth1: string;
  auth2: string;
  containers: Map<string, Map<string, { bytes: Buffer; manifest: string | null }>>;
  /** Headers set on containers. */
  acls: Map<string, Record<string, string>>;
  /** Tokens given out so far; each may be withdrawn. */
  tokens: Set<string>;
  logins: number;
  /** PUTs of objects after this many fail. */
  failAfter: number;
  close(): Promise<void>;
}

export const FAKE_USER = 'service:glance';
export const FAKE_KEY = 'swift secret';

type Answered = [status: number, headers?: Record<string, string>, body?: string];

/** What a request about a container itself does and is answered. */
function ofContainer(swift: FakeSwift, request: IncomingMessage, name: string, prefix: string): Answered {
  const container = swift.containers.get(name);
  switch (request.method) {
    case 'PUT':
      swift.containers.set(name, container ?? new Map<string, never>());
      return [201];
    case 'POST':
      swift.acls.set(name, request.headers as Record<string, string>);
      return [204];
    case 'DELETE':
      swift.containers.delete(name);
      return [204];
    case 'HEAD':
      return [container ? 204 : 404];
    default: {
      if (!container) return [404];
      const names = [...container.keys()].filter(key => key.startsWith(prefix)).sort();
      return [200, {}, JSON.stringify(names.map(key => ({ name: key })))];
    }
  }
}

export async function startFakeSwift(): Promise<FakeSwift> {
  let base = '';
  let puts = 0;
  const swift: FakeSwift = {
    auth1: '',
    auth2: '',
    containers: new Map(),
    acls: new Map(),
    tokens: new Set(),
    logins: 0,
    failAfter: Number.POSITIVE_INFINITY,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const token = () => {
    swift.logins += 1;
    const made = `token-${swift.logins}`;
    swift.tokens.add(made);
    return made;
  };
  const server: Server = createServer(async (request, response) => {
    const answer = (status: number, headers: Record<string, string> = {}, body: string | Buffer = '') =>
      response
        .writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers })
        .end(request.method === 'HEAD' ? undefined : body);
    const url = new URL(request.url ?? '/', base);
    if (url.pathname === '/auth/v1.0/' || url.pathname === '/auth/v1.0') {
      const good = request.headers['x-auth-user'] === FAKE_USER && request.headers['x-auth-key'] === FAKE_KEY;
      return good
        ? answer(200, { 'x-storage-url': `${base}/v1/AUTH_a`, 'x-auth-token': token() })
        : answer(401);
    }
    if (url.pathname === '/v2.0/tokens') {
      const { auth } = JSON.parse((await bodyOf(request)).toString()) as KeystoneLogin;
      const { username, password } = auth.passwordCredentials;
      if (`${auth.tenantName}:${username}` !== FAKE_USER || password !== FAKE_KEY) return answer(401);
      const serviceCatalog = [
        { type: 'object-store', endpoints: [{ region: 'RegionOne', publicURL: `${base}/v1/AUTH_a` }] },
      ];
      return answer(200, {}, JSON.stringify({ access: { token: { id: token() }, serviceCatalog } }));
    }
    if (!swift.tokens.has(String(request.headers['x-auth-token']))) {
      await bodyOf(request);
      return answer(401);
    }
    const [, , , name = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const object = rest.join('/');
    const container = swift.containers.get(name);
    if (object === '')
      return answer(...ofContainer(swift, request, name, url.searchParams.get('prefix') ?? ''));
    if (request.method === 'PUT') {
      const bytes = await bodyOf(request).catch(() => null);
      if (bytes === null) return;
      puts += 1;
      if (puts > swift.failAfter) return answer(503);
      if (!container) return answer(404);
      const manifest = request.headers['x-object-manifest'];
      container.set(object, { bytes, manifest: typeof manifest === 'string' ? manifest : null });
      return answer(201);
    }
    const found = container?.get(object);
    if (!found) return answer(404);
    if (request.method === 'DELETE') {
      container?.delete(object);
      return answer(204);
    }
    let { bytes } = found;
    if (found.manifest !== null) {
      const prefix = `${found.manifest.split('/')[1]}-`;
      const parts = [...container!]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      bytes = Buffer.concat(parts.map(([, part]) => part.bytes));
    }
    return answer(
      200,
      {
        etag: createHash('md5').update(bytes).digest('hex'),
        ...(found.manifest === null ? {} : { 'x-object-manifest': found.manifest }),
      },
      bytes,
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  swift.auth1 = `${base}/auth/v1.0`;
  swift.auth2 = `${base}/v2.0/`;
  return swift;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
