import { answer, quotePath, type ServerResponse } from '@folsom/swift-http';
import { readFrom, readingFor } from './backend-read.ts';
import { bestResponse, requestAll } from './backend-write.ts';
import { badMetadata, LIMIT } from './constraints.ts';
import { accountKey, createAccount } from './info.ts';
import { type ProxyCore, placeOf, shuffled } from './nodes.ts';
import { isTrue, type ProxyRequest } from './request.ts';

/** Metadata of a request as it goes on: the kind's own headers, removals as blanks. */
export function transferHeaders(
  request: ProxyRequest,
  kind: 'account' | 'container',
  passed: readonly string[] = [],
): Map<string, string> {
  const out = new Map<string, string>();
  const remove = `x-remove-${kind}-meta-`;
  const meta = `x-${kind}-meta-`;
  for (const name of request.headers.keys())
    if (name.startsWith(remove)) out.set(name.replace('-remove', ''), '');
  for (const [name, value] of request.headers)
    if (name.startsWith(meta) || passed.includes(name)) out.set(name, value);
  return out;
}

const nameTooLong = (request: ProxyRequest, account: string): ServerResponse | null => {
  const length = Buffer.byteLength(account);
  return length > LIMIT.accountName
    ? answer(400, request, { body: `Account name length of ${length} longer than ${LIMIT.accountName}` })
    : null;
};

/** Requests for an account. */
export async function handleAccount(
  core: ProxyCore,
  request: ProxyRequest,
  account: string,
): Promise<ServerResponse> {
  const place = placeOf(core, 'account', account);
  const path = `/${account}`;
  const baseHeaders = (): Map<string, string> =>
    new Map([
      ['X-Timestamp', core.stamp()],
      ['X-Trans-Id', request.transId],
    ]);
  const toAll = async (method: string, headers: Map<string, string>) =>
    bestResponse(
      await requestAll(
        core,
        'account',
        place,
        method,
        path,
        place.nodes.map(() => headers),
      ),
      `Account ${method}`,
      core,
    );

  switch (request.method) {
    case 'GET':
    case 'HEAD': {
      const read = () =>
        readFrom(
          core,
          readingFor(request, {
            kind: 'account',
            place,
            nodes: shuffled(place.nodes, core.world),
            path: quotePath(path),
            query: request.query,
          }),
        );
      const response = await read();
      if (response.status !== 404 || !core.options.accountAutocreate) return response;
      const refused = nameTooLong(request, account);
      if (refused) return refused;
      return (await createAccount(core, request, account, place)) ?? read();
    }
    case 'PUT': {
      if (!core.options.allowAccountManagement) return answer(405, request);
      const refused = badMetadata(request, 'account') ?? nameTooLong(request, account);
      if (refused) return refused;
      const undelete = isTrue(request.headers.get('x-account-undelete'));
      if (undelete && request.accountUser) return answer(403, request);
      await request.cache?.delete(accountKey(account));
      const headers = new Map([...baseHeaders(), ...transferHeaders(request, 'account')]);
      if (undelete) headers.set('X-Account-Undelete', 'true');
      return toAll('PUT', headers);
    }
    case 'POST': {
      const refused = badMetadata(request, 'account');
      if (refused) return refused;
      await request.cache?.delete(accountKey(account));
      const headers = new Map([...baseHeaders(), ...transferHeaders(request, 'account')]);
      const response = await toAll('POST', headers);
      if (response.status !== 404 || !core.options.accountAutocreate) return response;
      return nameTooLong(request, account) ?? toAll('PUT', headers);
    }
    case 'DELETE': {
      if (!core.options.allowAccountManagement) return answer(405, request);
      if (request.accountUser) return answer(403, request);
      // Later clients delete many objects with a query and a list of names here: that must not cost the account.
      if (request.query !== '' || request.body.length !== 0) {
        return answer(400, request, {
          body: 'An account is deleted by a request without query and body',
          contentType: 'text/plain',
        });
      }
      await request.cache?.delete(accountKey(account));
      return toAll('DELETE', baseHeaders());
    }
    default:
      return answer(405, request);
  }
}
