export * from './server.ts';
export * from './sync.ts';
export * from './updater.ts';
