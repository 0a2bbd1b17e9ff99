export * from './app.ts';
export { GUARD, type Guard, guard, guardedSettings } from './guard.ts';
export * from './health.ts';
export { endNow, refuseBrokenRequests, refuseUpgrade } from './in-flight.ts';
export * from './listen-error.ts';
export * from './metrics.ts';
export * from './metrics-registry.ts';
export * from './target.ts';
export type { TlsFiles } from './tls.ts';
