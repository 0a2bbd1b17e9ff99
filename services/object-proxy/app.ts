import { answer, type ServerResponse, splitPath, unquoteBytes, utf8FromBytes } from '@folsom/swift-http';
import { handleAccount } from './account.ts';
import { contentLength } from './constraints.ts';
import { handleContainer } from './container.ts';
import { rangeOfListing } from './listing-range.ts';
import type { ProxyCore } from './nodes.ts';
import { handleObjectDelete, handleObjectPost } from './object-change.ts';
import { handleObjectRead } from './object-read.ts';
import { handleObjectCopy, handleObjectPut } from './object-write.ts';
import type { ProxyApp, ProxyRequest } from './request.ts';

/** Methods a kind of resource has; true if its handler asks for authorization again with what it finds out. */
export const METHODS = {
  account: { GET: false, HEAD: false, PUT: false, POST: false, DELETE: false },
  container: { GET: true, HEAD: true, PUT: false, POST: false, DELETE: false },
  object: { GET: true, HEAD: true, PUT: true, POST: true, DELETE: true, COPY: true },
} as const satisfies Record<string, Record<string, boolean>>;

/** The innermost part of the pipeline: swift's proxy server proper. */
export function proxyApp(core: ProxyCore): ProxyApp {
  return async request => {
    const token = request.headers.get('x-storage-token');
    if (token !== undefined && !request.headers.has('x-auth-token'))
      request.headers.set('x-auth-token', token);
    const length = contentLength(request);
    if (length !== null && length < 0) return answer(400, request, { body: 'Invalid Content-Length' });
    if (
      !request.validPath ||
      utf8FromBytes(unquoteBytes(request.headers.get('x-copy-from') ?? '')) === null
    ) {
      return answer(412, request, { body: 'Invalid UTF8' });
    }
    const parts = splitPath(request.path, 1, 4, true);
    if (!parts) return answer(404, request);
    const [, account, container, object] = parts;
    // A name in the path that is empty is no name: it must never be taken for what stands above it.
    const unnamed = !container && (object !== null || (container === '' && request.method === 'DELETE'));
    if (!account || unnamed) return answer(412, request, { body: 'Bad URL' });
    // SQLite ends a text at NUL, file systems refuse it: nothing can have such a name.
    if (request.path.includes('\0'))
      return answer(404, request, { body: '404 Not Found\n\nThe resource could not be found.\n\n   ' });
    if (core.options.denyHostHeaders.length) {
      const host = (request.headers.get('host') ?? '').split(':')[0]!;
      if (core.options.denyHostHeaders.includes(host))
        return answer(403, request, { body: 'Invalid host header' });
    }
    const kind = container && object ? 'object' : container ? 'container' : 'account';
    const methods: Record<string, boolean> = METHODS[kind];
    const delayed = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (delayed === undefined) return answer(405, request);
    if (request.authorize) {
      const refused = request.authorize(request);
      if (!refused) request.authorize = null;
      else if (!delayed) return refused;
    }
    return dispatch(core, request, account, container ?? '', object ?? '');
  };
}

async function dispatch(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
  container: string,
  object: string,
): Promise<ServerResponse> {
  if (!object) {
    const response = container
      ? await handleContainer(core, request, account, container)
      : await handleAccount(core, request, account);
    return rangeOfListing(request, response);
  }
  switch (request.method) {
    case 'PUT':
      return handleObjectPut(core, request, account, container, object);
    case 'POST':
      return handleObjectPost(core, request, account, container, object);
    case 'DELETE':
      return handleObjectDelete(core, request, account, container, object);
    case 'COPY':
      return handleObjectCopy(core, request, account, container, object);
    default:
      return handleObjectRead(core, request, account, container, object);
  }
}
