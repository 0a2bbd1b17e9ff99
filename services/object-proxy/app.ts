import { must } from '@folsom/core';
import { answer, splitPath, unquoteBytes, utf8FromBytes } from '@folsom/swift-http';
import { contentLength } from './constraints.ts';
import { Unknown } from './info.ts';
import { rangeOfListing } from './listing-range.ts';
import type { ProxyCore } from './nodes.ts';
import { mayAnswer, operationOf } from './operations.ts';
import type { ProxyApp } from './request.ts';

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
      const host = must((request.headers.get('host') ?? '').split(':')[0], 'a split has a first part');
      if (core.options.denyHostHeaders.includes(host))
        return answer(403, request, { body: 'Invalid host header' });
    }
    const kind = container && object ? 'object' : container ? 'container' : 'account';
    const operation = operationOf(kind, request.method);
    if (!operation) return answer(405, request);
    if (request.authorize) {
      const refused = request.authorize(request);
      if (!refused) request.authorize = null;
      // Whom a container's lists let in is known when they have been read: the handler asks again.
      else if (operation.may === 'operator' || operation.may === 'reseller') return refused;
    }
    const names = { account, container: container ?? '', object: object ?? '' };
    const response = await operation.run(core, request, names).catch(error => {
      if (!(error instanceof Unknown)) throw error;
      core.log.error('storage nodes do not answer', { why: error.message, requestId: request.transId });
      return answer(503, request);
    });
    const shown = kind === 'object' ? response : await rangeOfListing(request, response);
    if (!mayAnswer(operation, shown.status)) core.undeclared?.(operation.name, shown.status);
    return shown;
  };
}
