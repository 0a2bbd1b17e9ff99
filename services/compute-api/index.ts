export * from './compute-api.ts';
export { novaPolicy } from './default-policy.ts';
export { DEFAULT_RATE_LIMITS, parseRateLimits, type RateLimit } from './openstack/http/rate-limits.ts';
export { startVolumeApi } from './volume-api.ts';
