export { identityOperations } from './api/operations.ts';
export * from './identity.ts';
export * from './options.ts';
