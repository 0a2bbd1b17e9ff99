export { identityOperations } from './api/operations.ts';
export * from './identity.ts';
export * from './options.ts';
export { REVOCATION_METHOD, REVOCATION_TOPIC } from './tokens/revocation-log.ts';
