export type { Knex } from 'knex';
export * from './connection-string.ts';
export * from './copy.ts';
export * from './database.ts';
export * from './errors.ts';
export * from './pagination.ts';
export * from './statements.ts';
export * from './sync.ts';
export * from './time.ts';
