export { setUpPki } from './pki/setup.ts';
export * from './test-identity.ts';
