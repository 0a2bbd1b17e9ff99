import {
  BATCH_BYTES_MAX,
  BATCH_METHOD,
  BATCH_REQUESTS_MAX,
  type BatchedRequest,
  countAnswer,
} from '@folsom/swift';
import { answer, EMPTY_BODY, readAll, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import type { DbOperation, DbRequest } from './request.ts';

/** Does many requests at once; gives a status for each. */
type Together<Context, Db> = (
  context: Context,
  requests: (DbRequest<Db> | ServerResponse)[],
) => Promise<number[]>;

/** Many requests in one. See update-batch.ts of swift. */
export const batchOperation = <Context, Db>(
  together: Together<Context, Db>,
  { name, about }: { name: string; about: string },
): DbOperation<Context, Db> => ({
  name,
  about,
  method: BATCH_METHOD,
  path: '/',
  body: `JSON, a list of at most ${BATCH_REQUESTS_MAX} \`[method, target, {header: value}]\``,
  answers: [200],
  refuses: { 408: 'the body does not come', 499: 'the body breaks off' },
  run: async (context, request) => {
    const { http, inner, world } = request;
    const items = batchedRequests(await readAll(http.body, BATCH_BYTES_MAX));
    if (!items) return answer(400, http, { body: 'no batch', contentType: 'text/plain' });
    const started = world.clock.monotonic();
    const statuses = await together(
      context,
      items.map(([method, target, headers]) => {
        const own: ServerRequest = { ...http, method, target, headers: new Map(Object.entries(headers)) };
        own.body = EMPTY_BODY;
        return inner(own);
      }),
    );
    noteBatch(request, items, statuses, world.clock.monotonic() - started);
    return {
      status: 200,
      headers: new Map([['content-type', 'application/json']]),
      body: Buffer.from(JSON.stringify(statuses)),
    };
  },
});

/** Counts the requests of a batch as if they had come by themselves, and notes them in the log in one line. */
function noteBatch(
  { http, world, server }: Pick<DbRequest<unknown>, 'http' | 'world' | 'server'>,
  items: readonly BatchedRequest[],
  statuses: readonly number[],
  ms: number,
): void {
  const transactions = new Set<string>();
  items.forEach(([method, , { 'x-trans-id': transaction }], i) => {
    countAnswer(world, server.program, method, statuses[i] ?? 500, ms);
    if (transaction) transactions.add(transaction);
  });
  if (!server.logged) return;
  world.log.info('updates', {
    count: items.length,
    refused: statuses.filter(status => status >= 300).length,
    requestIds: [...transactions].join(' '),
    remote: http.remoteAddress,
    ms: Math.round(ms * 100) / 100,
  });
}

/** The requests of a batch's body; null if it is none. */
function batchedRequests(body: Buffer | null): BatchedRequest[] | null {
  if (body === null) return null;
  let read: unknown;
  try {
    read = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  if (!Array.isArray(read) || read.length > BATCH_REQUESTS_MAX) return null;
  return read.every(isBatched) ? read : null;
}

function isBatched(item: unknown): item is BatchedRequest {
  if (!Array.isArray(item) || item.length !== 3) return false;
  const [method, target, headers] = item as unknown[];
  return (
    typeof method === 'string' &&
    typeof target === 'string' &&
    typeof headers === 'object' &&
    headers !== null &&
    Object.values(headers).every(value => typeof value === 'string')
  );
}
