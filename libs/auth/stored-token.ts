import { hash } from 'node:crypto';

const PKI_PREFIX = 'MII';

/**
 * What stands for a stored token in the database, in revocations and in answers about it: PKI tokens are known by their
 * MD5, as the original's clients expect; UUID tokens, and MD5s that are sent instead of a PKI token, by themselves.
 */
export const storedTokenKey = (id: string): string =>
  id.startsWith(PKI_PREFIX) ? hash('md5', id, 'hex') : id;
