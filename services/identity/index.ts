export * from './identity.ts';
export * from './options.ts';
