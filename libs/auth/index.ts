export * from './hook.ts';
export * from './token.ts';
