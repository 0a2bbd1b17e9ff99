export * from './compute-api.ts';
export { novaPolicy } from './default-policy.ts';
export * from './ec2-api.ts';
export { DEFAULT_RATE_LIMITS, parseRateLimits, type RateLimit } from './openstack/http/rate-limits.ts';
export { startVolumeApi } from './volume-api.ts';
