/**
 * Beyond swift 1.7's own protocol: a storage server that says so in its answers takes several updates in one request.
 * Original servers never say so, and are told one by one.
 */

/** On answers to updates: the server knows {@link BATCH_METHOD}. */
export const BATCH_HEADER = 'x-backend-batches';

/** Its body is a JSON list of {@link BatchedRequest}, its answer a JSON list of their statuses. */
export const BATCH_METHOD = 'BATCH';

/** A request as it would have come by itself; names of headers in lower case. */
export type BatchedRequest = [method: string, target: string, headers: Record<string, string>];

export const BATCH_REQUESTS_MAX = 128;
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
