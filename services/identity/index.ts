export * from './identity.ts';
export * from './not-honoured.ts';
export * from './options.ts';
