export * from './file.ts';
export * from './parse.ts';
export * from './policy.ts';
