import { expect, it } from 'vitest';
import { reconnectPauseMs } from './reconnect-pause.ts';

it.each([
  ["Folsom's own", 1, 2, [1000, 3000, 3000, 3000]],
  ['none between attempts', 0, 0, [0, 0, 0, 0]],
  ['a long one that is asked for', 10, 2, [10_000, 10_000, 10_000, 10_000]],
] as const)('pauses between attempts: %s', (_what, rabbit_retry_interval, rabbit_retry_backoff, pauses) => {
  const options = { rabbit_retry_interval, rabbit_retry_backoff };
  expect([1, 2, 3, 20].map(attempt => reconnectPauseMs(options, attempt))).toEqual(pauses);
});
