export * from './objectstore.ts';
