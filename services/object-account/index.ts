export * from './reaper.ts';
export * from './server.ts';
