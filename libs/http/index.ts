export * from './app.ts';
export * from './health.ts';
export * from './metrics.ts';
