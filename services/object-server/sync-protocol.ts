/**
 * What replicators say to object servers beyond swift 1.7's own protocol, so that objects can be replicated without
 * rsync. Original servers ignore these headers, and then the plain requests do what they always do.
 */

/** On PUT, POST and DELETE: the object comes from another replica. Nobody is told of it and no date is too old. */
export const REPLICATION_HEADER = 'x-backend-replication';

/** On REPLICATE with suffixes: answer with their files, JSON `{ hash: [file name, ...] }`, instead of their sums. */
export const LISTING_HEADER = 'x-backend-listing';

export type SuffixListing = Record<string, string[]>;
