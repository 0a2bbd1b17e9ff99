export { readExtensions, registryOf } from './openstack/http/extension.ts';
export * from './test-api.ts';
