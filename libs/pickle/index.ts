export * from './pickle.ts';
export * from './reader.ts';
export * from './writer.ts';
