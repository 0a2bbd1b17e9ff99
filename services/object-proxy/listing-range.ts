import { readRange } from '@folsom/swift';
import { answer, readAll, type ServerResponse } from '@folsom/swift-http';
import type { ProxyRequest } from './request.ts';

/** More than 10,000 names of 1,024 characters and all that XML says of them. */
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

/** The part of a listing that a Range header asks for. Listings have no tag: other conditions are none for them. */
export async function rangeOfListing(
  request: ProxyRequest,
  response: ServerResponse,
): Promise<ServerResponse> {
  const header = request.headers.get('range');
  const { body, headers } = response;
  if (header === undefined || request.method !== 'GET' || response.status !== 200 || body === null) {
    return response;
  }
  const whole = Buffer.isBuffer(body) ? body : await readAll(body, LISTING_BYTES_MAX);
  if (whole === null) return answer(503, request);
  const range = readRange(header, whole.length);
  if (range.kind === 'whole') return { ...response, body: whole };
  if (range.kind === 'unsatisfiable') {
    return answer(416, request, {
      body: `Requested range not satisfiable: ${range.shown}`,
      contentType: 'text/plain',
      headers: [['content-range', `bytes */${whole.length}`]],
    });
  }
  const { start, end } = range;
  headers.set('content-range', `bytes ${start}-${end - 1}/${whole.length}`);
  headers.set('content-length', String(end - start));
  return { ...response, status: 206, body: whole.subarray(start, end) };
}
