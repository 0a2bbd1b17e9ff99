export * from './catalog.ts';
export * from './hook.ts';
export * from './offline-validator.ts';
export * from './revocations.ts';
export * from './signed-token.ts';
export * from './token.ts';
