import { BATCH_REQUESTS_MAX, type BatchedRequest } from '@folsom/swift';

/** The requests of a batch's body; null if it is none. */
export function batchedRequests(body: Buffer | null): BatchedRequest[] | null {
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
