export * from './compute-api.ts';
