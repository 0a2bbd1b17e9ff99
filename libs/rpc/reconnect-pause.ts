import { RPC_LIMITS } from './limits.ts';
import type { RabbitOptions } from './options.ts';

/**
 * Folsom's back-off before the next attempt to reach the broker, in milliseconds: a first pause, then so much more each time. Folsom
 * lets it grow to 30 s, so that a service stands idle for as long after a broker that was away for a minute; a question a
 * few seconds long costs nobody anything.
 */
export const reconnectPauseMs = (
  options: Pick<RabbitOptions, 'rabbit_retry_interval' | 'rabbit_retry_backoff'>,
  attempt: number,
): number => {
  const firstMs = 1000 * options.rabbit_retry_interval;
  const growing = firstMs + (attempt - 1) * 1000 * options.rabbit_retry_backoff;
  return Math.min(growing, Math.max(firstMs, RPC_LIMITS.reconnectPauseMaxMs));
};
