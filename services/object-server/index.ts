export { type ObjectServerOptions, objectServerOptions } from './options.ts';
export { type ObjectServerSettings, startObjectServer } from './server.ts';
